// What a coordinator reaches: catalogues, its state, workers.

#if MARTLET_NETWORK
    import Coordination
    import Diagnostics
    import EmbeddedCluster
    import EngineConfiguration
    import Frontends
    import PluginHost

    #if canImport(Glibc)
        import Glibc
    #elseif canImport(Darwin)
        import Darwin
    #endif

    enum StoreChecks {
        /// Time for a store to answer.
        private static let limit = Duration.seconds(10)

        static func findings(_ configuration: EngineConfiguration, _ options: NodeOptions) async -> [DoctorFinding] {
            var findings: [DoctorFinding] = []
            for section in options.catalogs {
                let subject = "catalogs.\(section.name)"
                findings.append(
                    await answer(subject, hint: "Look at the keys of \(subject), and whether its store is up.") {
                        var values = section.values
                        let type = values.removeValue(forKey: "type") ?? ""
                        let backend = try LinkedPlugins.all.storageBackend(
                            type: type, section: ConfigurationSection(name: section.name, values: values))
                        let schemas = try await backend.schemaNames()
                        return "the store of type \(type) answers with \(schemas.count) schemas"
                    })
            }
            findings.append(await state(configuration, options))
            return findings
        }

        private static func state(_ configuration: EngineConfiguration, _ options: NodeOptions) async -> DoctorFinding {
            let hint = "Set state.store, state.path or state.dsn; without a store the history ends with the process."
            switch configuration["state.store"] {
            case "postgres":
                return await answer("state.store", hint: hint) {
                    let store = try LinkedPlugins.all.stateStore(
                        type: "postgres",
                        section: ConfigurationSection(name: "state", values: ["dsn": configuration["state.dsn"]]))
                    defer { store.close() }
                    // Asks only: the layout is made by the server.
                    _ = try? await store.history(limit: 1)
                    try await store.open()
                    return "\(store.place) answers"
                }
            case "sqlite":
                var path = configuration["state.path"]
                if path.isEmpty {
                    guard let data = options.dataDirectory else {
                        return DoctorFinding(
                            "state.store", .ok, "nothing is kept: there is neither state.path nor data")
                    }
                    path = data + "/.martlet/state.db"
                }
                var directory = path.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(
                    separator: "/")
                if directory.isEmpty { directory = path.hasPrefix("/") ? "/" : "." }
                // The server makes the last directory itself.
                if access(directory, F_OK) != 0, directory.hasSuffix("/.martlet") {
                    directory.removeLast("/.martlet".count)
                }
                var finding = MachineChecks.writable("state.path", directory)
                if finding.status == .error { finding.hint = hint }
                if access(path, F_OK) == 0, access(path, R_OK | W_OK) != 0 {
                    finding = DoctorFinding("state.path", .error, "\(path) cannot be written", hint: hint)
                }
                return finding
            default: return DoctorFinding("state.store", .ok, "nothing is kept")
            }
        }

        /// What a body says, or its error, or that it takes too long.
        private static func answer(
            _ subject: String, hint: String, _ body: @escaping @Sendable () async throws -> String
        ) async -> DoctorFinding {
            let (results, continuation) = AsyncStream<DoctorFinding>.makeStream()
            Task {
                do { continuation.yield(DoctorFinding(subject, .ok, try await body())) } catch {
                    let error = QueryError.wrapping(error)
                    continuation.yield(
                        DoctorFinding(subject, .error, error.message, hint: error.hint ?? hint))
                }
            }
            Task {
                try? await Task.sleep(for: limit)
                continuation.yield(
                    DoctorFinding(subject, .error, "no answer within \(limit.components.seconds) s", hint: hint))
            }
            for await finding in results { return finding }
            return DoctorFinding(subject, .error, "no answer", hint: hint)
        }
    }
#endif
