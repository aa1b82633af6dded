// What the machine has for a server: ports, directories, memory, open files, a clock.

#if MARTLET_NETWORK
    import Diagnostics
    import EngineConfiguration

    #if canImport(Glibc)
        import Glibc
    #elseif canImport(Darwin)
        import Darwin
    #endif

    enum MachineChecks {
        static func findings(_ configuration: EngineConfiguration, _ options: NodeOptions) -> [DoctorFinding] {
            [memory(configuration, options), openFiles(configuration), clock()] + directories(configuration, options)
        }

        // MARK: - Ports

        static let ports = ["coordinator.pg-port", "coordinator.grpc-port", "coordinator.http-port"]

        /// Ports that somebody listens on already.
        static func usedPorts(_ configuration: EngineConfiguration) -> [String] {
            ports.filter { key in
                let port = configuration.integer(key)
                return port != 0 && bindFailure(configuration["host"], port) == EADDRINUSE
            }
        }

        /// `isServing`: whether a server of ours answers there.
        static func portFindings(_ configuration: EngineConfiguration, isServing: Bool) -> [DoctorFinding] {
            ports.map { key in
                let port = configuration.integer(key)
                let host = configuration["host"]
                if port == 0 { return DoctorFinding(key, .ok, "any free port of \(host)") }
                switch bindFailure(host, port) {
                case 0: return DoctorFinding(key, .ok, "\(host):\(port) is free")
                case EADDRINUSE where isServing: return DoctorFinding(key, .ok, "\(host):\(port) is served")
                case EADDRINUSE:
                    return DoctorFinding(
                        key, .error, "\(host):\(port) is in use by another program",
                        hint: "End that program, or set \(key).")
                case EACCES:
                    return DoctorFinding(
                        key, .error, "\(host):\(port) may not be used by this user", hint: "Set \(key) to 1024 or more."
                    )
                case let code:
                    return DoctorFinding(
                        key, .error, "\(host):\(port) cannot be used: \(String(cString: strerror(code)))",
                        hint: "host is an address of this machine, or 0.0.0.0 for all.")
                }
            }
        }

        /// Why nobody can listen there; 0 if somebody can.
        private static func bindFailure(_ host: String, _ port: Int) -> Int32 {
            var hints = addrinfo()
            hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
            hints.ai_flags = AI_PASSIVE
            var list: UnsafeMutablePointer<addrinfo>?
            guard getaddrinfo(host, String(port), &hints, &list) == 0, let entry = list else { return EADDRNOTAVAIL }
            defer { freeaddrinfo(list) }
            let descriptor = socket(entry.pointee.ai_family, entry.pointee.ai_socktype, entry.pointee.ai_protocol)
            guard descriptor >= 0 else { return errno }
            defer { close(descriptor) }
            var on: Int32 = 1
            setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
            let isBound =
                bind(descriptor, entry.pointee.ai_addr, entry.pointee.ai_addrlen) == 0 && listen(descriptor, 1) == 0
            return isBound ? 0 : errno
        }

        // MARK: - Directories

        private static let freeByteCountMin: UInt64 = 1 << 30

        private static func directories(_ configuration: EngineConfiguration, _ options: NodeOptions) -> [DoctorFinding]
        {
            var findings = [writable("spill-directory", options.spillDirectory)]
            if let data = options.dataDirectory {
                findings.append(
                    isDirectory(data) && access(data, R_OK | X_OK) == 0
                        ? DoctorFinding("data", .ok, "\(data) can be read")
                        : DoctorFinding(
                            "data", .error, "\(data) is no directory that can be read", hint: "Set data, or its rights."
                        ))
            }
            for root in configuration.list("server.file-roots") {
                // Roots of object stores are prefixes of addresses.
                if root.contains("://") { continue }
                findings.append(
                    isDirectory(root)
                        ? DoctorFinding("server.file-roots", .ok, "\(root) is there")
                        : DoctorFinding(
                            "server.file-roots", .warning, "\(root) is no directory",
                            hint: "Statements find nothing there."))
            }
            return findings
        }

        private static func isDirectory(_ path: String) -> Bool {
            var status = stat()
            return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
        }

        static func writable(_ subject: String, _ path: String) -> DoctorFinding {
            guard isDirectory(path), access(path, W_OK | X_OK) == 0 else {
                return DoctorFinding(
                    subject, .error, "\(path) is no directory that can be written",
                    hint: "Make it, give this user the right to write there, or set \(subject).")
            }
            var space = statvfs()
            guard statvfs(path, &space) == 0 else { return DoctorFinding(subject, .ok, "\(path) can be written") }
            let free = UInt64(space.f_bavail) * UInt64(space.f_frsize)
            if free < freeByteCountMin {
                return DoctorFinding(
                    subject, .warning, "\(path) has \(free >> 20) MiB free",
                    hint: "Large sorts and joins write there; make room, or set \(subject).")
            }
            return DoctorFinding(subject, .ok, "\(path) can be written, \(free >> 30) GiB free")
        }

        // MARK: - Limits

        private static func memory(_ configuration: EngineConfiguration, _ options: NodeOptions) -> DoctorFinding {
            let there = Machine.memoryByteCount
            if options.memoryLimit > there {
                return DoctorFinding(
                    "memory-limit", .error,
                    "\(options.memoryLimit >> 20) MiB are more than the \(there >> 20) MiB of the machine or its group",
                    hint: "Set memory-limit to at most \(there / 10 * 8 >> 20)MiB, or to 0.")
            }
            if options.memoryLimit > there / 100 * 95 {
                return DoctorFinding(
                    "memory-limit", .warning,
                    "\(options.memoryLimit >> 20) of \(there >> 20) MiB leave nothing for the rest",
                    hint: "Set memory-limit to at most \(there / 10 * 8 >> 20)MiB, or to 0.")
            }
            if options.memoryLimit < 256 << 20 {
                return DoctorFinding(
                    "memory-limit", .warning, "\(options.memoryLimit >> 20) MiB are little: most queries will spill",
                    hint: "Set memory-limit to 1GiB or more.")
            }
            return DoctorFinding("memory-limit", .ok, "\(options.memoryLimit >> 20) of \(there >> 20) MiB")
        }

        private static func openFiles(_ configuration: EngineConfiguration) -> DoctorFinding {
            var limit = rlimit()
            #if canImport(Glibc)
                let code = getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
            #else
                let code = getrlimit(RLIMIT_NOFILE, &limit)
            #endif
            guard code == 0 else { return DoctorFinding("open files", .ok, "the limit is not known") }
            // A connection is one, and so are files that are read, spilled ones and those of workers.
            let needed = configuration.integer("server.max-connections") + 1000 + 256
            let found = limit.rlim_cur > UInt(Int.max) ? Int.max : Int(limit.rlim_cur)
            if found < needed {
                return DoctorFinding(
                    "open files", .warning, "the process may open \(found) files; \(needed) may be needed",
                    hint: "Raise it (`ulimit -n`, LimitNOFILE of systemd), or lower server.max-connections.")
            }
            return DoctorFinding("open files", .ok, "\(found) may be open")
        }

        private static func clock() -> DoctorFinding {
            var time = timespec()
            clock_gettime(CLOCK_REALTIME, &time)
            let year = 1970 + Int(time.tv_sec) / 31_556_952
            if year < 2025 {
                return DoctorFinding(
                    "clock", .error, "the clock says it is the year \(year)",
                    hint: "Set it: certificates and tokens depend on it.")
            }
            // Whatever wrote the program's directory last did so in the past.
            var status = stat()
            if stat(".", &status) == 0 {
                #if canImport(Glibc)
                    let written = status.st_mtim.tv_sec
                #else
                    let written = status.st_mtimespec.tv_sec
                #endif
                if written > time.tv_sec + 3600 {
                    return DoctorFinding(
                        "clock", .warning, "the clock is behind: this directory was written in the future",
                        hint: "Let chrony or systemd-timesyncd keep it: certificates, traces and logs depend on it.")
                }
            }
            return DoctorFinding("clock", .ok, "it is not behind what was written here")
        }
    }
#endif
