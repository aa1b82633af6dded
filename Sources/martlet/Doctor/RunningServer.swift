// A server that runs already, as far as anybody may ask it.

#if MARTLET_NETWORK
    import Diagnostics

    #if canImport(Glibc)
        import Glibc
    #elseif canImport(Darwin)
        import Darwin
    #endif

    struct RunningServer {
        let host: String
        let port: Int
        private static let seconds = 3

        /// Whether a server of ours answers on its HTTP port.
        var isAlive: Bool { self.get("/healthz").map { $0.contains(" 200 ") && $0.hasSuffix("ok\n") } ?? false }

        /// Whether a query would find a worker.
        var readiness: DoctorFinding {
            guard let answer = get("/readyz") else {
                return DoctorFinding("server", .error, "it does not answer", hint: "Look at its log.")
            }
            return answer.contains(" 200 ")
                ? DoctorFinding("server", .ok, "it serves, and has workers")
                : DoctorFinding(
                    "server", .error, "it serves, and has no workers", hint: "Start one: martlet worker --join.")
        }

        /// Whether its workers are of this version; nothing where users have to say who they are.
        func workers(version: String) -> [DoctorFinding] {
            guard let answer = get("/v1/workers"), answer.contains(" 200 ") else { return [] }
            let others = Set(
                answer.matches(of: #/"version": *"([^"]*)"/#).map { String($0.1) }.filter { $0 != version })
            if others.isEmpty { return [DoctorFinding("workers", .ok, "all are of version \(version)")] }
            let names = others.sorted().map { $0.isEmpty ? "an unknown one" : $0 }.joined(separator: ", ")
            return [
                DoctorFinding(
                    "workers", .warning, "there are workers of other versions than \(version): \(names)",
                    hint: "Use the same program on all nodes.")
            ]
        }

        /// Whether something listens at a coordinator's address.
        static func reach(_ address: String) -> DoctorFinding {
            guard let colon = address.lastIndex(of: ":"), let port = Int(address[address.index(after: colon)...]) else {
                return DoctorFinding("worker.join", .error, "\"\(address)\" has not the form HOST:PORT")
            }
            guard let descriptor = connect(String(address[..<colon]), port) else {
                return DoctorFinding(
                    "worker.join", .error, "nobody answers at \(address)",
                    hint: "Start the coordinator, or look at its host and coordinator.grpc-port, and at firewalls.")
            }
            close(descriptor)
            return DoctorFinding("worker.join", .ok, "\(address) can be reached")
        }

        private func get(_ path: String) -> String? {
            let name = host == "0.0.0.0" ? "127.0.0.1" : host == "::" ? "::1" : host
            guard port > 0, let descriptor = Self.connect(name, port) else { return nil }
            defer { close(descriptor) }
            let request = Array("GET \(path) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".utf8)
            guard send(descriptor, request, request.count, Int32(MSG_NOSIGNAL)) == request.count else { return nil }
            var bytes: [UInt8] = []
            var piece = [UInt8](repeating: 0, count: 4096)
            while bytes.count < 1 << 16 {
                let count = recv(descriptor, &piece, piece.count, 0)
                if count <= 0 { break }
                bytes += piece[..<count]
            }
            return String(decoding: bytes, as: UTF8.self)
        }

        /// A connected socket whose operations give up after some seconds.
        private static func connect(_ host: String, _ port: Int) -> Int32? {
            let plain = host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host
            var hints = addrinfo()
            hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
            var list: UnsafeMutablePointer<addrinfo>?
            guard getaddrinfo(plain, String(port), &hints, &list) == 0 else { return nil }
            defer { freeaddrinfo(list) }
            var next = list
            while let entry = next {
                let descriptor = socket(entry.pointee.ai_family, entry.pointee.ai_socktype, entry.pointee.ai_protocol)
                if descriptor >= 0 {
                    var limit = timeval(tv_sec: seconds, tv_usec: 0)
                    let size = socklen_t(MemoryLayout<timeval>.size)
                    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, size)
                    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, size)
                    if Glibc.connect(descriptor, entry.pointee.ai_addr, entry.pointee.ai_addrlen) == 0 {
                        return descriptor
                    }
                    close(descriptor)
                }
                next = entry.pointee.ai_next
            }
            return nil
        }
    }
#endif
