// How a worker finds the coordinators that it may join.

import Diagnostics

/// Addresses of coordinators. Asked when a worker starts and again after each round in which none of them took it in: what a
/// name stands for changes while a cluster lives.
package protocol CoordinatorDiscovery: Sendable {
    /// `HOST:PORT` each, in the order in which they are tried. Throws what keeps it from knowing; the worker then goes on with
    /// what it knew before.
    func coordinators() async throws -> [String]
}

/// Several sources one after the other: one that knows nothing at the moment does not hide the others.
package struct JoinedDiscovery: CoordinatorDiscovery {
    private let parts: [any CoordinatorDiscovery]
    package init(_ parts: [any CoordinatorDiscovery]) { self.parts = parts }

    package func coordinators() async throws -> [String] {
        var found: [String] = []
        var failure: (any Error)?
        for part in parts {
            do {
                for address in try await part.coordinators() where !found.contains(address) { found.append(address) }
            } catch {
                failure = error
            }
        }
        if found.isEmpty, let failure { throw failure }
        return found
    }
}
