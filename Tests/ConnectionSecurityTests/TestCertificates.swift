// Certificates in files, for tests.

import ConnectionSecurity
import Foundation
import NodeCertificates

/// A directory with two authorities and nodes of both, made once for all tests.
struct TestCertificates: Sendable {
    let own: NodeSecurity
    /// Of another authority.
    let foreign: NodeSecurity
    let directory: String

    static let shared: Result<TestCertificates, any Error> = Result { try TestCertificates() }

    private init() throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent(
            "certificates-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        self.directory = directory.path
        own = try Self.make("own", directory)
        foreign = try Self.make("foreign", directory)
    }

    private static func make(_ name: String, _ directory: URL) throws -> NodeSecurity {
        let authority = try DevelopmentAuthority(name: "\(name) authority", days: 2)
        let node = try authority.makeNode(name: "node", hosts: ["localhost", "127.0.0.1", "::1"], days: 1)
        func write(_ text: String, _ file: String) throws -> String {
            let path = directory.appendingPathComponent(file).path
            try text.write(toFile: path, atomically: true, encoding: .utf8)
            return path
        }
        return try NodeSecurity(
            certificatePath: try write(node.certificate, "\(name).pem"), keyPath: try write(node.key, "\(name).key"),
            authorityPath: try write(authority.certificatePEM, "\(name)-authority.pem"))
    }
}
