// Who belongs to a cluster: whoever has a certificate of the cluster's authority.

import Diagnostics
import EngineConfiguration
import NIOCore
import NIOSSL
import Synchronization

/// Certificate and key of this node, and the authority whose certificates other nodes show. Names in certificates are not
/// compared with addresses: nodes are reached by names that others make up, and being of the authority is what counts.
package final class NodeSecurity: Sendable {
    /// What a port asks of those who connect.
    package enum Asks: Sendable {
        /// A certificate of the authority.
        case everybody
        /// Clients need none; whoever shows one shows one of the authority.
        case nodes
    }

    private struct Contexts {
        var forNodes: NIOSSLContext
        var forEverybody: NIOSSLContext
        var client: NIOSSLContext
    }

    /// The name that nodes ask ports of other nodes for, so that a port can tell them from clients before it shows anything.
    private static let nodeName = "node.martlet.internal"

    /// What clients that are no nodes are shown; without it they see the node's certificate.
    private final class ClientIdentity: Sendable {
        let security = Mutex<ServerSecurity?>(nil)
    }
    private let clients = ClientIdentity()

    private let files: Files
    private let contexts: Mutex<Contexts>
    private let watch: FileWatch

    private struct Files: Sendable {
        var certificate: String
        var key: String
        var authority: String
    }

    /// Keys of a transport's section, which are those of `cluster.tls`.
    package static let sectionKeys = ["certificate", "key", "authority"]

    /// `nil` if the section has none of the keys. F0000 if it has some of them, or files cannot be used.
    package static func make(_ section: ConfigurationSection) throws -> NodeSecurity? {
        let values = sectionKeys.compactMap { section[$0] }
        if values.isEmpty { return nil }
        guard values.count == sectionKeys.count else {
            throw QueryError(
                .configurationFileError,
                "cluster.tls.certificate, cluster.tls.key and cluster.tls.authority go together",
                object: "cluster.tls")
        }
        return try NodeSecurity(certificatePath: values[0], keyPath: values[1], authorityPath: values[2])
    }

    /// Reads files in PEM; F0000 if they cannot be used.
    package init(certificatePath: String, keyPath: String, authorityPath: String) throws {
        files = Files(certificate: certificatePath, key: keyPath, authority: authorityPath)
        watch = FileWatch([certificatePath, keyPath, authorityPath])
        contexts = Mutex(try Self.load(files, clients))
    }

    /// On ports that nodes share with others, those others see this certificate from now on.
    package func showClients(_ security: ServerSecurity) { clients.security.withLock { $0 = security } }

    /// Files that were renewed are read again; what was there stays if they cannot be used.
    private var current: Contexts {
        if watch.hasChanged(), let loaded = try? Self.load(files, clients) { contexts.withLock { $0 = loaded } }
        return contexts.withLock { $0 }
    }

    private static func load(_ files: Files, _ clients: ClientIdentity) throws -> Contexts {
        let authorities: [NIOSSLCertificate]
        do { authorities = try NIOSSLCertificate.fromPEMFile(files.authority) } catch {
            throw QueryError(
                .configurationFileError, "cluster.tls.authority: could not read \"\(files.authority)\": \(error)",
                object: "cluster.tls.authority", cause: error)
        }
        guard !authorities.isEmpty else {
            throw QueryError(
                .configurationFileError, "cluster.tls.authority: \"\(files.authority)\" has no certificate",
                object: "cluster.tls.authority")
        }
        func context(_ change: (CertificateFiles.Identity) throws -> TLSConfiguration) throws -> NIOSSLContext {
            try CertificateFiles.load(
                change, certificatePath: files.certificate, keyPath: files.key, section: "cluster.tls"
            ).context
        }
        func server(
            _ verification: CertificateVerification, _ protocols: [String], for clients: ClientIdentity? = nil
        ) throws -> NIOSSLContext {
            try context { identity in
                var configuration = try CertificateFiles.server(identity, protocols)
                configuration.certificateVerification = verification
                configuration.trustRoots = .certificates(authorities)
                guard let clients else { return configuration }
                configuration.sslContextCallback = { values, promise in
                    var shown = NIOSSLContextConfigurationOverride.noChanges
                    if values.serverHostname != nodeName, let security = clients.security.withLock({ $0 }) {
                        let identity = security.current.identity
                        shown.certificateChain = identity.chain
                        shown.privateKey = identity.key
                    }
                    promise.succeed(shown)
                }
                return configuration
            }
        }
        return Contexts(
            forNodes: try server(.noHostnameVerification, ["h2"]),
            forEverybody: try server(.optionalVerification, ["h2"], for: clients),
            client: try context { identity in
                var configuration = TLSConfiguration.makeClientConfiguration()
                configuration.minimumTLSVersion = .tlsv12
                configuration.certificateChain = identity.chain
                configuration.privateKey = identity.key
                configuration.certificateVerification = .noHostnameVerification
                configuration.trustRoots = .certificates(authorities)
                configuration.applicationProtocols = ["h2"]
                return configuration
            })
    }

    /// What encrypts a connection that came in.
    package func makeServerHandler(_ asks: Asks) -> NIOSSLServerHandler {
        let current = current
        return NIOSSLServerHandler(context: asks == .everybody ? current.forNodes : current.forEverybody)
    }

    /// What encrypts a connection to another node.
    package func makeClientHandler() throws -> NIOSSLClientHandler {
        try NIOSSLClientHandler(context: current.client, serverHostname: Self.nodeName)
    }
}
