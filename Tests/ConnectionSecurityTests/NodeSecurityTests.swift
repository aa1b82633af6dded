// Transports between nodes with certificates: they do what they do without, and let nobody else in.

import ConnectionSecurity
import Diagnostics
import EngineConfiguration
import Foundation
import GRPCTransport
import NodeCertificates
import TCPTransport
import Testing
import Transport
import TransportConformance

@Suite("Nodes with certificates")
struct NodeSecurityTests {
    private let certificates: TestCertificates

    init() throws { certificates = try TestCertificates.shared.get() }

    private static func tcp(_ security: NodeSecurity?) -> TCPExchange {
        var options = TCPOptions()
        options.security = security
        return TCPExchange(options: options)
    }

    private static func grpcOptions(_ security: NodeSecurity?) -> GRPCOptions {
        var options = GRPCOptions()
        options.security = security
        return options
    }

    @Test("the exchange over TCP conforms", arguments: ExchangeConformance.Case.allCases)
    func tcpConforms(_ testCase: ExchangeConformance.Case) async throws {
        try await ExchangeConformance { [own = certificates.own] in Self.tcp(own) }.run(testCase)
    }

    @Test(
        "the exchange over gRPC conforms",
        arguments: [
            ExchangeConformance.Case.deliversInOrderWithoutGaps, .deliversManyChannels, .stopsTheProducerOnEarlyClose,
            .reportsALostPeer, .reportsAnUnreachablePeer,
        ])
    func grpcConforms(_ testCase: ExchangeConformance.Case) async throws {
        try await ExchangeConformance { [own = certificates.own] in GRPCExchange(options: Self.grpcOptions(own)) }
            .run(testCase)
    }

    @Test("control over gRPC conforms", arguments: ControlConformance.Case.allCases)
    func controlConforms(_ testCase: ControlConformance.Case) async throws {
        try await ControlConformance { [own = certificates.own] in GRPCControl(options: Self.grpcOptions(own)) }
            .run(testCase)
    }

    /// What a reader gets whose node has other certificates, or none.
    private func readingError(
        _ make: (NodeSecurity?) -> any ExchangeTransport, server: NodeSecurity?, reader: NodeSecurity?
    ) async throws -> QueryError? {
        let producer = make(server)
        let board = OutputBoard()
        let endpoint = try await producer.serve(board, on: Endpoint(host: "127.0.0.1", port: 0))
        let channel = ExchangeConformance.channel(0)
        let output = board.channel(channel)
        let pushing = Task {
            _ = await output.push(ExchangeConformance.numbers(0, count: 10))
            output.finish()
        }
        let node = make(reader)
        let opened = node.openReader(channel, at: endpoint)
        let error = try await within(.seconds(60), "reading") { await opened.error() }
        await node.shutdown()
        await producer.shutdown()
        pushing.cancel()
        return error
    }

    @Test("rows go only to nodes of the authority")
    func rowsStayInTheCluster() async throws {
        let own = certificates.own
        for make in [{ Self.tcp($0) }, { GRPCExchange(options: Self.grpcOptions($0)) }]
            as [(NodeSecurity?) -> any ExchangeTransport]
        {
            #expect(try await readingError(make, server: own, reader: own) == nil)
            for stranger in [certificates.foreign, nil] {
                #expect(try await readingError(make, server: own, reader: stranger)?.state == .exchangeFailed)
                // Nor does a node take rows from a stranger.
                #expect(try await readingError(make, server: stranger, reader: own)?.state == .exchangeFailed)
            }
        }
    }

    private func sessionError(_ server: NodeSecurity?, _ worker: NodeSecurity?) async throws -> (QueryError?, Int) {
        let service = RecordingCoordinator()
        let coordinator = GRPCControl(options: Self.grpcOptions(server))
        let endpoint = try await coordinator.serveCoordinator(service, on: Endpoint(host: "127.0.0.1", port: 0))
        let node = GRPCControl(options: Self.grpcOptions(worker))
        let (outgoing, continuation) = AsyncStream<WorkerMessage>.makeStream()
        continuation.yield(.goodbye)
        continuation.finish()
        var error: QueryError?
        do {
            try await within(.seconds(60), "a session") {
                try await node.openSession(withCoordinator: endpoint, outgoing: outgoing) { _ in }
            }
        } catch let failure as QueryError { error = failure }
        await node.shutdown()
        await coordinator.shutdown()
        return (error, service.received.count)
    }

    @Test("a worker joins only with a certificate of the authority")
    func strangersDoNotJoin() async throws {
        let (none, received) = try await sessionError(certificates.own, certificates.own)
        #expect(none == nil && received == 1)
        // In plain it is told why; a certificate of others does not even get so far.
        let (plain, fromPlain) = try await sessionError(certificates.own, nil)
        #expect(plain?.state == .invalidAuthorization && fromPlain == 0)
        let (foreign, fromForeign) = try await sessionError(certificates.own, certificates.foreign)
        #expect(foreign?.state == .connectionFailure && fromForeign == 0)
        // A worker does not join a coordinator that it cannot trust.
        let (unknown, fromUnknown) = try await sessionError(certificates.foreign, certificates.own)
        #expect(unknown?.state == .connectionFailure && fromUnknown == 0)
    }

    @Test("a worker takes tasks only from nodes of the authority")
    func strangersGiveNoTasks() async throws {
        let worker = GRPCControl(options: Self.grpcOptions(certificates.own))
        let endpoint = try await worker.serveWorker(RecordingWorker(), on: Endpoint(host: "127.0.0.1", port: 0))
        for stranger in [certificates.foreign, nil] {
            let node = GRPCControl(options: Self.grpcOptions(stranger))
            await #expect(throws: QueryError.self) { _ = try await node.connect(toWorker: endpoint) }
            await node.shutdown()
        }
        let friend = GRPCControl(options: Self.grpcOptions(certificates.own))
        await (try friend.connect(toWorker: endpoint)).close()
        await friend.shutdown()
        await worker.shutdown()
    }

    @Test("files that do not fit are refused when they are read")
    func unusableFiles() {
        let directory = certificates.directory
        func state(_ certificate: String, _ key: String, _ authority: String) -> SQLState? {
            do {
                _ = try NodeSecurity(
                    certificatePath: "\(directory)/\(certificate)", keyPath: "\(directory)/\(key)",
                    authorityPath: "\(directory)/\(authority)")
                return nil
            } catch { return (error as? QueryError)?.state }
        }
        #expect(state("own.pem", "own.key", "own-authority.pem") == nil)
        #expect(state("own.pem", "foreign.key", "own-authority.pem") == .configurationFileError)
        #expect(state("none.pem", "own.key", "own-authority.pem") == .configurationFileError)
        #expect(state("own.pem", "own.key", "none.pem") == .configurationFileError)
        #expect(state("own.key", "own.key", "own-authority.pem") == .configurationFileError)
        #expect(throws: QueryError.self) {
            _ = try NodeSecurity.make(ConfigurationSection(name: "tcp", values: ["certificate": "x"]))
        }
    }

    @Test("a renewed certificate is shown from the next connection on")
    func renewal() async throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("renewal-\(UUID().uuidString)")
            .path
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        func copy(_ name: String) throws {
            for (from, to) in [("pem", "node.pem"), ("key", "node.key")] {
                try Data(contentsOf: URL(fileURLWithPath: "\(certificates.directory)/\(name).\(from)"))
                    .write(to: URL(fileURLWithPath: "\(directory)/\(to)"), options: .atomic)
            }
            try Data(contentsOf: URL(fileURLWithPath: "\(certificates.directory)/\(name)-authority.pem"))
                .write(to: URL(fileURLWithPath: "\(directory)/authority.pem"), options: .atomic)
        }
        try copy("foreign")
        let changing = try NodeSecurity(
            certificatePath: "\(directory)/node.pem", keyPath: "\(directory)/node.key",
            authorityPath: "\(directory)/authority.pem")
        let make = { (security: NodeSecurity?) -> any ExchangeTransport in Self.tcp(security) }
        #expect(try await readingError(make, server: certificates.own, reader: changing) != nil)
        try copy("own")
        let deadline = ContinuousClock.now + .seconds(60)
        while try await readingError(make, server: certificates.own, reader: changing) != nil {
            try #require(ContinuousClock.now < deadline)
            try await Task.sleep(for: .milliseconds(300))
        }
    }

    @Test("certificates say whom they are of and for how long")
    func facts() throws {
        let authority = try DevelopmentAuthority(name: "an authority", days: 10)
        let again = try DevelopmentAuthority(certificatePEM: authority.certificatePEM, keyPEM: authority.keyPEM)
        let node = try again.makeNode(name: "n1", hosts: ["n1", "10.0.0.1"], days: 5)
        let facts = try CertificateFacts(pem: node.certificate + authority.certificatePEM)
        #expect(facts.subject.contains("n1"))
        let days = (facts.notAfter - Date().timeIntervalSince1970) / 86_400
        #expect(days > 4.9 && days < 5.1)
        #expect(throws: QueryError.self) { _ = try CertificateFacts(pem: "nothing") }
        let other = try DevelopmentAuthority(name: "another", days: 1)
        #expect(throws: QueryError.self) {
            _ = try DevelopmentAuthority(certificatePEM: authority.certificatePEM, keyPEM: other.keyPEM)
        }
    }
}
