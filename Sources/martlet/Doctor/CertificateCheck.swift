// Certificates that a configuration names: whether they can be used, and until when.

#if MARTLET_NETWORK
    import ConnectionSecurity
    import Diagnostics
    import EngineConfiguration
    import NodeCertificates
    import TraceExport

    #if canImport(Glibc)
        import Glibc
    #elseif canImport(Darwin)
        import Darwin
    #endif

    enum CertificateCheck {
        /// Loads what a server would load. F0000 if it cannot be used.
        static func load(_ configuration: EngineConfiguration) throws {
            if let tls = try CoordinatorOptions(configuration).tls {
                _ = try ServerSecurity(certificatePath: tls.certificate, keyPath: tls.key)
            }
            let section = ConfigurationSection(name: "cluster.tls", values: try NodeOptions(configuration).clusterTLS)
            _ = try NodeSecurity.make(section)
        }

        static func traces(_ configuration: EngineConfiguration) throws -> Bool {
            try TraceExportOptions(configuration) != nil
        }

        private static let warningDays = 30.0

        /// A finding for each certificate and each key.
        static func findings(_ configuration: EngineConfiguration) -> [DoctorFinding] {
            var findings: [DoctorFinding] = []
            for key in ["tls.certificate", "cluster.tls.certificate", "cluster.tls.authority"]
            where !configuration[key].isEmpty {
                findings.append(certificate(key, configuration[key]))
            }
            for key in ["tls.key", "cluster.tls.key"] where !configuration[key].isEmpty {
                findings.append(privateKey(key, configuration[key]))
            }
            return findings
        }

        private static func certificate(_ key: String, _ path: String) -> DoctorFinding {
            let facts: CertificateFacts
            do { facts = try CertificateFacts(pem: try ConfigurationFile.text(path: path)) } catch {
                return DoctorFinding(
                    key, .error, QueryError.wrapping(error).message, hint: "\(key) is a file with a certificate in PEM."
                )
            }
            var time = timespec()
            clock_gettime(CLOCK_REALTIME, &time)
            let now = Double(time.tv_sec)
            let days = Int((facts.notAfter - now) / 86_400)
            if now < facts.notBefore {
                return DoctorFinding(
                    key, .error, "\(path) is not valid yet", hint: "The clock is wrong, or the certificate is.")
            }
            if now > facts.notAfter {
                return DoctorFinding(
                    key, .error, "\(path) has expired", hint: "Renew it; a server reads the new file by itself.")
            }
            if facts.notAfter - now < warningDays * 86_400 {
                return DoctorFinding(
                    key, .warning, "\(path) expires in \(days) days",
                    hint: "Renew it; a server reads the new file by itself.")
            }
            return DoctorFinding(key, .ok, "\(path) (\(facts.subject)) is valid for \(days) days")
        }

        private static func privateKey(_ key: String, _ path: String) -> DoctorFinding {
            var status = stat()
            guard stat(path, &status) == 0 else {
                return DoctorFinding(
                    key, .error, "\(path): \(String(cString: strerror(errno)))",
                    hint: "\(key) is a file with a key in PEM.")
            }
            if status.st_mode & 0o007 != 0 {
                return DoctorFinding(
                    key, .warning, "\(path) can be read by every user of this machine", hint: "chmod 600 \(path)")
            }
            return DoctorFinding(key, .ok, "\(path) is there")
        }
    }
#endif
