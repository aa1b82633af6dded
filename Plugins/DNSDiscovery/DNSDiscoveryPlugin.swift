// DNSDiscovery: coordinators behind a name, `dns://NAME:PORT`. Every address that the name has is one of them, as with a
// headless service of Kubernetes; a name that moves on is followed.

import Diagnostics
import Dispatch
import Glibc
import PluginHost
import Transport

/// The plug-in of the scheme "dns".
package struct DNSDiscoveryPlugin: EnginePlugin {
    package let name = "dns"
    private let resolve: @Sendable (String) throws -> [String]

    /// `resolve` gives the numeric addresses of a name and may block; by default the system's resolver.
    package init(resolve: @escaping @Sendable (String) throws -> [String] = SystemResolver.addresses) {
        self.resolve = resolve
    }

    package func makeCoordinatorDiscovery(_ target: String) throws -> (any CoordinatorDiscovery)? {
        guard let endpoint = Endpoint(target), !endpoint.host.isEmpty, endpoint.port > 0 else {
            throw QueryError(
                .configurationFileError, "\"\(target)\" is no name of coordinators", hint: "Write dns://NAME:PORT.",
                object: "worker.join")
        }
        return DNSDiscovery(name: endpoint.host, port: endpoint.port, resolve: resolve)
    }
}

struct DNSDiscovery: CoordinatorDiscovery {
    let name: String
    let port: Int
    let resolve: @Sendable (String) throws -> [String]

    func coordinators() async throws -> [String] {
        // The resolver blocks, for many seconds if its servers are silent: not a thread of the tasks' pool.
        let addresses = try await withCheckedThrowingContinuation { continuation in
            DispatchQueue.global().async { [resolve, name] in
                continuation.resume(with: Result { try resolve(name) })
            }
        }
        // The resolver's order changes from call to call; in a fixed one a round tries each address once.
        return Set(addresses).sorted().map { Endpoint(host: $0, port: port).description }
    }
}

/// The resolver of the operating system: hosts file, DNS, whatever the machine is set up for.
package enum SystemResolver {
    /// The numeric addresses of `name`; blocks. Error 08006 when it has none.
    @Sendable package static func addresses(of name: String) throws -> [String] {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let status = getaddrinfo(name, nil, &hints, &list)
        guard status == 0 else {
            throw QueryError(
                .connectionFailure, "the name \(name) has no address", detail: String(cString: gai_strerror(status)),
                object: name)
        }
        defer { freeaddrinfo(list) }
        var result: [String] = []
        var next = list
        while let entry = next {
            var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            let length = socklen_t(text.count)
            if getnameinfo(
                entry.pointee.ai_addr, entry.pointee.ai_addrlen, &text, length, nil, 0, NI_NUMERICHOST) == 0
            {
                result.append(String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self))
            }
            next = entry.pointee.ai_next
        }
        return result
    }
}
