// The terminal: its modes and size, and the thread that waits for its bytes and for signals.

import Diagnostics
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// What comes from a terminal.
package enum TerminalEvent: Sendable {
    case bytes([UInt8])
    /// Some time has passed since the last bytes.
    case pause
    case resized
    /// Ctrl-C while nobody was asked to see to it.
    case interrupted
    /// Back from being stopped.
    case continued
    case end
}

/// Reads on a thread of its own, so that no thread of the engine waits for a person, and Ctrl-C is heard when all of
/// them are busy. There is one terminal in a process: signals and modes belong to the process.
package final class Terminal: Sendable {
    private struct State {
        var saved = termios()
        var isRaw = false
        var isPaused = false
        /// Before the terminal was lent.
        var wasRaw = false
        var isEnded = false
        var onInterrupt: (@Sendable () -> Void)?
    }
    /// Behind an escape, longer than what a slow connection needs for the rest of a sequence.
    private static let pauseMilliseconds: Int32 = 60

    private let input: Int32
    private let output: Int32
    private let state: Mutex<State>
    private let wakeEnd: Int32
    private let continuation: AsyncStream<TerminalEvent>.Continuation
    /// To be read by one reader.
    package let events: AsyncStream<TerminalEvent>

    /// `nil` if either descriptor is no terminal.
    package init?(input: Int32 = 0, output: Int32 = 1) {
        var saved = termios()
        var ends: [Int32] = [-1, -1]
        guard isatty(input) == 1, isatty(output) == 1, tcgetattr(input, &saved) == 0, pipe(&ends) == 0 else {
            return nil
        }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        self.input = input
        self.output = output
        wakeEnd = ends[1]
        var first = State()
        first.saved = saved
        state = Mutex(first)
        (events, continuation) = AsyncStream<TerminalEvent>.makeStream()
        SignalBytes.install(writeEnd: ends[1], [SIGINT, SIGWINCH, SIGCONT, SIGTERM, SIGHUP, SIGQUIT])
        let wake = ends[0]
        BlockingThread.start { [self] in readLoop(wake) }
    }

    // MARK: - Output

    package func write(_ text: String) {
        guard !text.isEmpty else { return }
        let bytes = Array(text.utf8)
        var start = 0
        while start < bytes.count {
            let count = bytes.withUnsafeBytes {
                posixWrite(output, $0.baseAddress.map { $0 + start }, bytes.count - start)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return }
            start += count
        }
    }

    /// Columns and rows; 80 by 24 when the terminal does not say.
    package static func size(of descriptor: Int32) -> (columns: Int, rows: Int) {
        var size = winsize()
        let status = ioctl(descriptor, UInt(TIOCGWINSZ), &size)
        return (
            status == 0 && size.ws_col > 0 ? Int(size.ws_col) : 80,
            status == 0 && size.ws_row > 0 ? Int(size.ws_row) : 24
        )
    }
    package var size: (columns: Int, rows: Int) { Self.size(of: output) }

    // MARK: - Modes

    /// Bytes come as they are typed and are not shown; Ctrl-C is a byte. Output is as always.
    package func enterRawMode() {
        state.withLock { state in
            guard !state.isRaw else { return }
            var raw = state.saved
            raw.c_lflag &= ~tcflag_t(ICANON | ECHO | ISIG | IEXTEN)
            raw.c_iflag &= ~tcflag_t(IXON | ICRNL | INLCR | ISTRIP)
            withUnsafeMutableBytes(of: &raw.c_cc) { characters in
                characters[Int(VMIN)] = 1
                characters[Int(VTIME)] = 0
            }
            tcsetattr(input, TCSADRAIN, &raw)
            state.isRaw = true
        }
    }

    package func leaveRawMode() {
        state.withLock { state in
            guard state.isRaw else { return }
            tcsetattr(input, TCSADRAIN, &state.saved)
            state.isRaw = false
        }
    }

    /// Another program has the terminal from now on.
    package func beginLending() {
        state.withLock { state in
            state.isPaused = true
            state.wasRaw = state.isRaw
        }
        leaveRawMode()
        wake(SignalBytes.wakeByte)
    }

    package func endLending() {
        if state.withLock({ $0.wasRaw }) { enterRawMode() }
        state.withLock { $0.isPaused = false }
        wake(SignalBytes.wakeByte)
    }

    /// While the body runs another program has the terminal.
    package func lend<T>(_ body: () throws -> T) rethrows -> T {
        beginLending()
        defer { endLending() }
        return try body()
    }

    /// Stops the process, as Ctrl-Z does elsewhere. Returns when it goes on.
    package func suspend() {
        let wasRaw = state.withLock { $0.isRaw }
        leaveRawMode()
        kill(getpid(), SIGTSTP)
        // The signal takes the process; what follows runs when it goes on.
        if wasRaw { enterRawMode() }
    }

    /// The modes are as they were at the start, and signals do what they do by default.
    package func close() {
        leaveRawMode()
        state.withLock { $0.isEnded = true }
        SignalBytes.restore([SIGINT, SIGWINCH, SIGCONT, SIGTERM, SIGHUP, SIGQUIT])
        wake(SignalBytes.wakeByte)
        continuation.finish()
    }

    /// While this is set Ctrl-C calls it, from the thread that reads, instead of being an event.
    package func onInterrupt(_ handler: (@Sendable () -> Void)?) { state.withLock { $0.onInterrupt = handler } }

    // MARK: - The thread

    private func wake(_ byte: UInt8) {
        var byte = byte
        _ = posixWrite(wakeEnd, &byte, 1)
    }

    private func readLoop(_ wakeRead: Int32) {
        var timeout: Int32 = -1
        while !state.withLock({ $0.isEnded }) {
            let isPaused = state.withLock { $0.isPaused }
            var waits = [
                pollfd(fd: wakeRead, events: Int16(POLLIN), revents: 0),
                pollfd(fd: isPaused ? -1 : input, events: Int16(POLLIN), revents: 0),
            ]
            let ready = poll(&waits, 2, timeout)
            if ready < 0 {
                if errno == EINTR { continue }
                break
            }
            if ready == 0 {
                timeout = -1
                continuation.yield(.pause)
                continue
            }
            if waits[0].revents != 0 { takeSignals(wakeRead) }
            if waits[1].revents != 0 {
                switch readInput() {
                case .some(true): timeout = Self.pauseMilliseconds
                case .some(false): break
                case .none:
                    end()
                    return
                }
            }
        }
    }

    /// `nil` at the end of input; whether bytes were taken.
    private func readInput() -> Bool? {
        var piece = [UInt8](repeating: 0, count: 4096)
        // The lock keeps `lend` from giving the terminal away between the question and the read.
        let (count, handler, isRaw) = state.withLock { state -> (Int, (@Sendable () -> Void)?, Bool) in
            guard !state.isPaused else { return (-2, nil, false) }
            return (posixRead(input, &piece, piece.count), state.onInterrupt, state.isRaw)
        }
        if count == -2 || (count < 0 && errno == EINTR) { return false }
        guard count > 0 else { return nil }
        var bytes = Array(piece[..<count])
        if isRaw, let handler {
            // A statement runs: what is typed waits, Ctrl-C does not, and it takes back what was typed before.
            if bytes.contains(0x1C) { raise(SIGQUIT) }
            if let last = bytes.lastIndex(of: 0x03) {
                bytes.removeFirst(last + 1)
                handler()
            }
        }
        if !bytes.isEmpty { continuation.yield(.bytes(bytes)) }
        return true
    }

    private func takeSignals(_ wakeRead: Int32) {
        var piece = [UInt8](repeating: 0, count: 64)
        let count = posixRead(wakeRead, &piece, piece.count)
        guard count > 0 else { return }
        for byte in piece[..<count] {
            switch Int32(byte) {
            case SIGWINCH: continuation.yield(.resized)
            case SIGCONT:
                continuation.yield(.continued)
            case SIGINT:
                // A program that has the terminal sees to it by itself.
                let (handler, isPaused) = state.withLock { ($0.onInterrupt, $0.isPaused) }
                if isPaused { continue }
                if let handler { handler() } else { continuation.yield(.interrupted) }
            case SIGTERM, SIGHUP, SIGQUIT:
                leaveRawMode()
                signal(Int32(byte), SIG_DFL)
                kill(getpid(), Int32(byte))
            default: break
            }
        }
    }

    private func end() {
        state.withLock { $0.onInterrupt }?()
        continuation.yield(.end)
        continuation.finish()
    }
}

/// Signals as bytes in a pipe: the only thing that a handler may do is write.
enum SignalBytes {
    static let wakeByte: UInt8 = 0
    private static let writeEnd = Atomic<Int32>(-1)

    static func install(writeEnd end: Int32, _ numbers: [Int32]) {
        writeEnd.store(end, ordering: .sequentiallyConsistent)
        var action = sigaction()
        let handler: @convention(c) (Int32) -> Void = { number in
            let saved = errno
            var byte = UInt8(truncatingIfNeeded: number)
            _ = posixWrite(SignalBytes.writeEnd.load(ordering: .sequentiallyConsistent), &byte, 1)
            errno = saved
        }
        #if canImport(Glibc)
            action.__sigaction_handler.sa_handler = handler
        #else
            action.__sigaction_u.__sa_handler = handler
        #endif
        action.sa_flags = Int32(SA_RESTART)
        for number in numbers { sigaction(number, &action, nil) }
    }

    static func restore(_ numbers: [Int32]) {
        for number in numbers { signal(number, SIG_DFL) }
    }
}

func posixWrite(_ descriptor: Int32, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int {
    #if canImport(Glibc)
        Glibc.write(descriptor, bytes, count)
    #else
        Darwin.write(descriptor, bytes, count)
    #endif
}

func posixRead(_ descriptor: Int32, _ bytes: UnsafeMutableRawPointer?, _ count: Int) -> Int {
    #if canImport(Glibc)
        Glibc.read(descriptor, bytes, count)
    #else
        Darwin.read(descriptor, bytes, count)
    #endif
}
