// A program in a terminal of its own: keys go in, a screen comes out.

import Foundation
import Testing

/// The program of this build on the far side of a pseudo-terminal. Used by one test at a time.
final class PseudoTerminal {
    static let program: String? = {
        var candidates = [
            Bundle.main.bundleURL, URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent(),
        ]
        for bundle in Bundle.allBundles { candidates.append(bundle.bundleURL.deletingLastPathComponent()) }
        return candidates.map { $0.appendingPathComponent("martlet").path }.first {
            FileManager.default.isExecutableFile(atPath: $0)
        }
    }()

    private let near: Int32
    let processID: pid_t
    private(set) var screen: ScreenModel
    private(set) var status: Int32?

    init(
        _ arguments: [String], columns: Int = 80, rows: Int = 24, environment: [String: String] = [:]
    ) throws {
        let program = try #require(PseudoTerminal.program, "the program martlet was not built")
        // The functions of POSIX for this are not visible from Swift; these are what they do.
        near = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
        var unlocked: Int32 = 0
        var number: Int32 = 0
        guard near >= 0, ioctl(near, UInt(0x4004_5431), &unlocked) == 0, ioctl(near, UInt(0x8004_5430), &number) == 0
        else { throw POSIXError(.ENXIO) }
        let farName = "/dev/pts/\(number)"
        screen = ScreenModel(columns: columns, rows: rows)
        // The far side has to be open for a size to be kept.
        let far = open(farName, O_RDWR | O_NOCTTY | O_CLOEXEC)
        var size = winsize(ws_row: UInt16(rows), ws_col: UInt16(columns), ws_xpixel: 0, ws_ypixel: 0)
        _ = ioctl(near, UInt(TIOCSWINSZ), &size)
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        // The first terminal that the leader of a session opens becomes its own.
        posix_spawn_file_actions_addopen(&actions, 0, farName, O_RDWR, 0)
        posix_spawn_file_actions_adddup2(&actions, 0, 1)
        posix_spawn_file_actions_adddup2(&actions, 0, 2)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        posix_spawnattr_setflags(&attributes, Int16(0x80))  // POSIX_SPAWN_SETSID
        var variables = ProcessInfo.processInfo.environment
        for name in ["NO_COLOR", "PAGER", "EDITOR", "VISUAL", "XDG_STATE_HOME"] { variables[name] = nil }
        variables.merge(["TERM": "xterm-256color", "LANG": "C.UTF-8", "PAGER": "cat"]) { $1 }
        variables.merge(environment) { $1 }
        var arguments: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) } + [nil]
        var values: [UnsafeMutablePointer<CChar>?] = variables.map { strdup("\($0.key)=\($0.value)") } + [nil]
        var child: pid_t = 0
        let result = posix_spawn(&child, program, &actions, &attributes, &arguments, &values)
        for pointer in arguments + values { free(pointer) }
        close(far)
        guard result == 0 else { throw POSIXError(POSIXErrorCode(rawValue: result) ?? .EIO) }
        processID = child
        _ = fcntl(near, F_SETFL, fcntl(near, F_GETFL) | O_NONBLOCK)
    }

    deinit {
        if status == nil {
            kill(processID, SIGKILL)
            var result: Int32 = 0
            waitpid(processID, &result, 0)
        }
        close(near)
    }

    func type(_ text: String) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { write(near, $0.baseAddress, $0.count) }
            if count > 0 { bytes = bytes.dropFirst(count) } else { take(milliseconds: 5) }
        }
    }

    func resize(columns: Int, rows: Int) {
        screen.resize(columns: columns, rows: rows)
        var size = winsize(ws_row: UInt16(rows), ws_col: UInt16(columns), ws_xpixel: 0, ws_ypixel: 0)
        _ = ioctl(near, UInt(TIOCSWINSZ), &size)
    }

    /// Takes what the program writes within the time; returns whether there was anything.
    @discardableResult
    private func take(milliseconds: Int32) -> Bool {
        var wait = pollfd(fd: near, events: Int16(POLLIN), revents: 0)
        guard poll(&wait, 1, milliseconds) > 0 else { return false }
        var piece = [UInt8](repeating: 0, count: 64 << 10)
        let count = read(near, &piece, piece.count)
        guard count > 0 else {
            usleep(1000)
            return false
        }
        screen.feed(Array(piece[..<count]))
        return true
    }

    /// Waits until the screen is as wanted, at most `seconds`; fails the test otherwise.
    func wait(
        seconds: Double = 20, _ what: String, location: SourceLocation = #_sourceLocation,
        until isThere: (ScreenModel) -> Bool
    ) {
        let deadline = Date().addingTimeInterval(seconds)
        while !isThere(screen) {
            guard Date() < deadline else {
                Issue.record("\(what) did not come. The screen:\n\(screen.text)", sourceLocation: location)
                return
            }
            take(milliseconds: 20)
        }
    }

    func wait(for text: String, seconds: Double = 20, location: SourceLocation = #_sourceLocation) {
        wait(seconds: seconds, "\"\(text)\"", location: location) { $0.text.contains(text) }
    }

    /// Waits for an empty prompt on the cursor's line.
    func waitForPrompt(_ prompt: String = "martlet=>", location: SourceLocation = #_sourceLocation) {
        wait("a prompt", location: location) { $0.cursorLine == prompt }
    }

    /// Waits for the end of the program.
    func waitForEnd(seconds: Double = 20) -> Int32? {
        let deadline = Date().addingTimeInterval(seconds)
        while status == nil, Date() < deadline {
            take(milliseconds: 10)
            var result: Int32 = 0
            if waitpid(processID, &result, WNOHANG) == processID {
                while take(milliseconds: 0) {}
                status = result & 0x7F == 0 ? (result >> 8) & 0xFF : 128 + (result & 0x7F)
            }
        }
        return status
    }
}
