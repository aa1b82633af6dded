// What a certificate says of itself.

import Diagnostics
import FoundationEssentials
import X509

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

package struct CertificateFacts: Sendable {
    package let subject: String
    /// Seconds since 1970 UTC.
    package let notBefore: Double
    package let notAfter: Double

    /// The first certificate of a text in PEM; F0000 if there is none.
    package init(pem: String) throws {
        do {
            let certificate = try Certificate(pemEncoded: Self.first(pem))
            subject = certificate.subject.description
            notBefore = certificate.notValidBefore.timeIntervalSince1970
            notAfter = certificate.notValidAfter.timeIntervalSince1970
        } catch {
            throw QueryError(.configurationFileError, "there is no certificate: \(error)", cause: error)
        }
    }

    private static func first(_ pem: String) -> String {
        guard let start = pem.firstRange(of: "-----BEGIN CERTIFICATE-----"),
            let end = pem.firstRange(of: "-----END CERTIFICATE-----")
        else { return pem }
        return start.lowerBound < end.upperBound ? String(pem[start.lowerBound..<end.upperBound]) : pem
    }
}

/// Addresses as certificates hold them.
enum HostAddressBytes {
    /// Four or sixteen bytes; `nil` if the text is a name.
    static func parse(_ text: String) -> [UInt8]? {
        var four = in_addr()
        if inet_pton(AF_INET, text, &four) == 1 { return withUnsafeBytes(of: &four) { Array($0) } }
        var sixteen = in6_addr()
        if inet_pton(AF_INET6, text, &sixteen) == 1 { return withUnsafeBytes(of: &sixteen) { Array($0) } }
        return nil
    }
}
