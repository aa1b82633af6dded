// Whether a server is there and encrypts, before a client that can only do one or the other goes to it.

import Diagnostics

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

package enum ServerProbe {
    /// Connects, shakes hands as the address asks for, and goes again. Whether the server is to be spoken to by TLS. Errors:
    /// 08006 if nobody is there, or the server is not what the address demands.
    package static func isEncrypted(_ address: ServerAddress) throws -> Bool {
        let descriptor = try ServerConnection.connect(address.host, address.port)
        defer { close(descriptor) }
        guard address.encryption != .disable else { return false }
        do {
            _ = try EncryptedSocket(
                descriptor, host: address.host, mode: address.encryption, authorityPath: address.authorityPath)
            return true
        } catch {
            guard address.encryption == .prefer else { throw error }
            return false
        }
    }
}
