// Servers that live as long as the process of the tests.

import Foundation

/// Ends them and removes their directories when the process exits.
enum SharedServerEnd {
    private final class Servers: @unchecked Sendable {
        let lock = NSLock()
        var known: [(process: Int32, directory: String)] = []
    }
    private static let servers: Servers = {
        atexit { SharedServerEnd.stopAll() }
        return Servers()
    }()

    static func note(_ process: Int32?, _ directory: String) {
        servers.lock.withLock { servers.known.append((process ?? 0, directory)) }
    }

    private static func stopAll() {
        for server in servers.lock.withLock({ servers.known }) {
            if server.process > 0 {
                kill(server.process, SIGKILL)
                var status: Int32 = 0
                waitpid(server.process, &status, 0)
            }
            try? FileManager.default.removeItem(atPath: server.directory)
        }
    }
}
