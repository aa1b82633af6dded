// Parts of the plug-in over the tests' object store.

import Diagnostics
import EngineConfiguration
import StoreServers

@testable import S3Storage

extension S3Server {
    func store(_ more: [String: String] = [:]) throws -> S3Store {
        S3Store(try S3Options(ConfigurationSection(name: "s", values: values(more)), environment: [:]))
    }

    func backend(_ more: [String: String] = [:]) throws -> S3Backend {
        S3Backend(ConfigurationSection(name: "s", values: values(more)))
    }
}

/// The state of the error that work ends with.
func state(_ body: () async throws -> Void) async -> String {
    do {
        try await body()
        return "none"
    } catch let error as QueryError {
        return error.state.code
    } catch { return "\(error)" }
}
