// ConnectionSecurity: TLS for every port, and certificates by which the nodes of a cluster know each other.
//
//   ServerSecurity   certificate and key that a port shows its clients, read again when they are renewed
//   NodeSecurity     certificate of a node and the authority of its cluster
//   FileWatch        notices that files were renewed
//   SecurityGate     tells on a new connection whether its client speaks TLS

import Diagnostics
import NIOCore
import NIOSSL
import Synchronization

/// Certificate and key of a port that clients reach.
package final class ServerSecurity: Sendable {
    private let certificatePath: String
    private let keyPath: String
    private let protocols: [String]
    private let loaded: Mutex<CertificateFiles.Loaded>
    private let watch: FileWatch

    /// Reads files in PEM. F0000 if they are none, or do not fit together. `protocols`: names that the server agrees on with
    /// its clients (ALPN).
    package init(certificatePath: String, keyPath: String, protocols: [String] = []) throws {
        self.certificatePath = certificatePath
        self.keyPath = keyPath
        self.protocols = protocols
        watch = FileWatch([certificatePath, keyPath])
        loaded = Mutex(try Self.load(certificatePath, keyPath, protocols))
    }

    private static func load(_ certificatePath: String, _ keyPath: String, _ protocols: [String]) throws
        -> CertificateFiles.Loaded
    {
        try CertificateFiles.load(
            { try CertificateFiles.server($0, protocols) }, certificatePath: certificatePath, keyPath: keyPath,
            section: "tls")
    }

    /// What encrypts one connection. Files that were renewed are read again; what was there stays if they cannot be used.
    package func makeHandler() -> NIOSSLServerHandler { NIOSSLServerHandler(context: current.context) }

    var current: CertificateFiles.Loaded {
        if watch.hasChanged(), let renewed = try? Self.load(certificatePath, keyPath, protocols) {
            loaded.withLock { $0 = renewed }
        }
        return loaded.withLock { $0 }
    }
}

/// Reads certificates and keys.
enum CertificateFiles {
    struct Identity: Sendable {
        var chain: [NIOSSLCertificateSource]
        var key: NIOSSLPrivateKeySource
    }
    struct Loaded: Sendable {
        var context: NIOSSLContext
        var identity: Identity
    }

    static func load(
        _ make: (Identity) throws -> TLSConfiguration, certificatePath: String, keyPath: String, section: String
    ) throws -> Loaded {
        do {
            let certificates = try NIOSSLCertificate.fromPEMFile(certificatePath)
            guard !certificates.isEmpty else {
                throw QueryError(
                    .configurationFileError, "\(section).certificate: \"\(certificatePath)\" has no certificate",
                    object: "\(section).certificate")
            }
            let identity = Identity(
                chain: certificates.map { .certificate($0) },
                key: .privateKey(try NIOSSLPrivateKey(file: keyPath, format: .pem)))
            return Loaded(context: try NIOSSLContext(configuration: try make(identity)), identity: identity)
        } catch let error as QueryError { throw error } catch {
            throw QueryError(
                .configurationFileError,
                "could not use the certificate \"\(certificatePath)\" with the key \"\(keyPath)\": \(error)",
                object: "\(section).certificate", cause: error)
        }
    }

    static func server(_ identity: Identity, _ protocols: [String]) throws -> TLSConfiguration {
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: identity.chain, privateKey: identity.key)
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = protocols
        return configuration
    }
}
