// How workers find coordinators: written addresses, names, and names whose addresses change.

import DNSDiscovery
import Diagnostics
import PluginHost
import StaticDiscovery
import Synchronization
import Testing
import Transport

@Suite("Discovery of coordinators")
struct DiscoveryTests {
    /// What names stand for; none: the resolver fails.
    private final class Names: Sendable {
        private let table: Mutex<[String: [String]]>
        init(_ table: [String: [String]]) { self.table = Mutex(table) }
        func set(_ name: String, _ addresses: [String]?) { table.withLock { $0[name] = addresses } }
        func addresses(_ name: String) throws -> [String] {
            guard let found = table.withLock({ $0[name] }) else {
                throw QueryError(.connectionFailure, "the name \(name) has no address")
            }
            return found
        }
    }

    private func discovery(_ targets: [String], _ names: Names) throws -> any CoordinatorDiscovery {
        let plugins = PluginRegistry([StaticDiscoveryPlugin(), DNSDiscoveryPlugin { try names.addresses($0) }])
        return try plugins.coordinatorDiscovery(targets)
    }

    @Test("written addresses stay as they are, in their order")
    func written() async throws {
        let found = try await discovery(["b:2", "a:1", "b:2"], Names([:])).coordinators()
        #expect(found == ["b:2", "a:1"])
    }

    @Test("a name stands for all its addresses, each time anew")
    func names() async throws {
        let names = Names(["c.example": ["10.0.0.2", "10.0.0.1", "10.0.0.2", "fd00::1"]])
        let discovery = try discovery(["dns://c.example:50051"], names)
        #expect(try await discovery.coordinators() == ["10.0.0.1:50051", "10.0.0.2:50051", "[fd00::1]:50051"])
        names.set("c.example", ["10.0.0.9"])
        #expect(try await discovery.coordinators() == ["10.0.0.9:50051"])
        names.set("c.example", nil)
        let error = await #expect(throws: QueryError.self) { try await discovery.coordinators() }
        #expect(error?.state == .connectionFailure)
    }

    @Test("a name without addresses does not hide the others")
    func joined() async throws {
        let found = try await discovery(["dns://gone.example:1", "a:1"], Names([:])).coordinators()
        #expect(found == ["a:1"])
    }

    @Test("the system's resolver knows this machine, and says so of names that nobody has")
    func system() throws {
        #expect(try SystemResolver.addresses(of: "localhost").contains { $0 == "127.0.0.1" || $0 == "::1" })
        #expect(try SystemResolver.addresses(of: "127.0.0.1") == ["127.0.0.1"])
        let error = #expect(throws: QueryError.self) { try SystemResolver.addresses(of: "no-such-host.invalid") }
        #expect(error?.state == .connectionFailure)
    }

    @Test("what cannot be read is refused at the start", arguments: ["dns://name", "dns://:1", "etcd://a:1"])
    func refuses(_ target: String) {
        let error = #expect(throws: QueryError.self) { try discovery([target], Names([:])) }
        #expect(error?.state == .configurationFileError)
    }
}
