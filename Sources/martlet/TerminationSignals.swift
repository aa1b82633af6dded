// SIGTERM and SIGINT as something to wait for, and SIGHUP as something to do.

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Handlers write to a pipe that a thread of its own reads. SIGPIPE is ignored.
struct TerminationSignals: Sendable {
    private let stream: AsyncStream<String>

    /// `onReload` is called, on a thread of the signals' own, for each SIGHUP; without it SIGHUP does what it always does.
    init(onReload: (@Sendable () -> Void)? = nil) {
        signal(SIGPIPE, SIG_IGN)
        let (stream, continuation) = AsyncStream<String>.makeStream()
        self.stream = stream
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { return }
        SignalPipe.writeEnd = ends[1]
        let handler: @convention(c) (Int32) -> Void = { number in
            var byte = UInt8(truncatingIfNeeded: number)
            _ = write(SignalPipe.writeEnd, &byte, 1)
        }
        signal(SIGTERM, handler)
        signal(SIGINT, handler)
        if onReload != nil { signal(SIGHUP, handler) }
        let loop = SignalLoop(readEnd: ends[0]) { number in
            if number == UInt8(truncatingIfNeeded: SIGHUP) {
                onReload?()
                return
            }
            continuation.yield(number == UInt8(truncatingIfNeeded: SIGTERM) ? "SIGTERM" : "SIGINT")
        }
        var thread = pthread_t()
        let status = pthread_create(
            &thread, nil,
            { argument in
                #if canImport(Glibc)
                    guard let argument else { return nil }
                #endif
                Unmanaged<SignalLoop>.fromOpaque(argument).takeRetainedValue().run()
                return nil
            }, Unmanaged.passRetained(loop).toOpaque())
        if status == 0 { pthread_detach(thread) }
    }

    /// The next signal's name.
    func wait() async -> String {
        for await name in stream { return name }
        return "none"
    }
}

private enum SignalPipe {
    /// Written once before the handlers are set, then only read.
    nonisolated(unsafe) static var writeEnd: Int32 = -1
}

private final class SignalLoop: Sendable {
    private let readEnd: Int32
    private let onSignal: @Sendable (UInt8) -> Void

    init(readEnd: Int32, onSignal: @escaping @Sendable (UInt8) -> Void) {
        self.readEnd = readEnd
        self.onSignal = onSignal
    }

    func run() {
        var byte: UInt8 = 0
        while true {
            let count = read(readEnd, &byte, 1)
            if count < 0, errno == EINTR { continue }
            guard count == 1 else { return }
            onSignal(byte)
        }
    }
}
