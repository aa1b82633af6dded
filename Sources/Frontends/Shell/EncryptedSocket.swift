// TLS on a socket of the shell's: blocking, as the shell's connection is.

import CSSL
import Diagnostics

/// How a connection is encrypted, by the names that PostgreSQL's clients give.
package enum EncryptionMode: String, Sendable, CaseIterable {
    /// Never.
    case disable
    /// If the server can.
    case prefer
    /// Always; whoever answers may be the server.
    case require
    /// Always; the server's certificate is of a known authority.
    case verifyAuthority = "verify-ca"
    /// Always; and the certificate is for the name that was dialled.
    case verifyFull = "verify-full"

    package var checksAuthority: Bool { self == .verifyAuthority || self == .verifyFull }
}

/// One encrypted connection. Used by one thread at a time, as its owner sees to; hence unchecked.
final class EncryptedSocket: @unchecked Sendable {
    private let context: OpaquePointer
    private let connection: OpaquePointer

    /// Shakes hands over the socket, which stays its owner's. 08006 if the server cannot be trusted or does not answer as it
    /// should.
    init(_ descriptor: Int32, host: String, mode: EncryptionMode, authorityPath: String?) throws {
        ERR_clear_error()
        guard let context = SSL_CTX_new(TLS_client_method()) else { throw Self.failure("could not begin TLS") }
        _ = martlet_ssl_set_minimum_tls12(context)
        var isTrustKnown = true
        if let authorityPath {
            isTrustKnown = SSL_CTX_load_verify_locations(context, authorityPath, nil) == 1
        } else if mode.checksAuthority {
            // The system's certificates are many: they are read when they are asked for.
            _ = SSL_CTX_set_default_verify_paths(context)
        }
        guard isTrustKnown, let connection = SSL_new(context) else {
            SSL_CTX_free(context)
            throw Self.failure(
                isTrustKnown ? "could not begin TLS" : "could not read the certificates of \"\(authorityPath ?? "")\"")
        }
        self.context = context
        self.connection = connection
        if mode.checksAuthority { SSL_set_verify(connection, SSL_VERIFY_PEER, nil) }
        let isAddress = host.contains(":") || host.allSatisfy { $0.isNumber || $0 == "." }
        if !isAddress { _ = martlet_ssl_set_host_name(connection, host) }
        if mode == .verifyFull {
            let isSet =
                isAddress
                ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(connection), host) : SSL_set1_host(connection, host)
            guard isSet == 1 else { throw Self.failure("\"\(host)\" is no name of a server") }
        }
        _ = martlet_ssl_allow_partial_writes(connection)
        guard SSL_set_fd(connection, descriptor) == 1, SSL_connect(connection) == 1 else {
            let verdict = SSL_get_verify_result(connection)
            let reason = verdict == 0 ? nil : X509_verify_cert_error_string(verdict).map { String(cString: $0) }
            throw Self.failure("could not agree with the server on TLS", reason)
        }
    }

    deinit {
        SSL_free(connection)
        SSL_CTX_free(context)
    }

    private static func failure(_ what: String, _ reason: String? = nil) -> QueryError {
        var reason = reason
        let code = ERR_get_error()
        if reason == nil, code != 0 {
            var text = [CChar](repeating: 0, count: 256)
            ERR_error_string_n(code, &text, text.count)
            reason = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
        return QueryError(
            .connectionFailure, reason.map { "\(what): \($0)" } ?? what,
            hint:
                "sslmode and sslrootcert of the address, or PGSSLMODE and PGSSLROOTCERT, say what is asked of a server."
        )
    }

    /// What `recv` gives: bytes read, or 0 and less at the end.
    func read(_ buffer: inout [UInt8]) -> Int {
        ERR_clear_error()
        return Int(SSL_read(connection, &buffer, Int32(clamping: buffer.count)))
    }

    func write(_ bytes: UnsafeRawBufferPointer) -> Int {
        ERR_clear_error()
        return Int(SSL_write(connection, bytes.baseAddress, Int32(clamping: bytes.count)))
    }
}
