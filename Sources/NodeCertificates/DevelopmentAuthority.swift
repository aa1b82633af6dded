// NodeCertificates: an authority of certificates for development and for small clusters, and what certificates say.
//
//   DevelopmentAuthority   makes an authority and certificates of nodes (this file)
//   CertificateFacts       names and times of a certificate

import Crypto
import Diagnostics
import FoundationEssentials
import SwiftASN1
import X509

/// A certificate with its key, both in PEM.
package struct CertifiedKey: Sendable {
    package var certificate: String
    package var key: String
}

/// Signs certificates of nodes. Keys are of the curve P-256; a key that was written is read again to sign further nodes.
package struct DevelopmentAuthority: Sendable {
    /// What everybody who trusts the authority knows.
    package let certificatePEM: String
    package let keyPEM: String
    private let certificate: Certificate
    private let key: P256.Signing.PrivateKey

    /// Clocks of nodes differ.
    private static let clockTolerance: Double = 3600

    /// A new authority that is good for so many days.
    package init(name: String, days: Int) throws {
        let key = P256.Signing.PrivateKey()
        let subject = try DistinguishedName { CommonName(name) }
        let publicKey = Certificate.PublicKey(key.publicKey)
        let now = Date()
        let certificate = try Certificate(
            version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: publicKey,
            notValidBefore: now - Self.clockTolerance, notValidAfter: now + Double(days) * 86_400, issuer: subject,
            subject: subject, signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try Certificate.Extensions {
                Critical(BasicConstraints.isCertificateAuthority(maxPathLength: 0))
                Critical(KeyUsage(keyCertSign: true, cRLSign: true))
                SubjectKeyIdentifier(hash: publicKey)
            }, issuerPrivateKey: Certificate.PrivateKey(key))
        self.key = key
        self.certificate = certificate
        certificatePEM = try certificate.serializeAsPEM().pemString + "\n"
        keyPEM = key.pemRepresentation + "\n"
    }

    /// An authority that was written before. F0000 if the texts are none.
    package init(certificatePEM: String, keyPEM: String) throws {
        do {
            certificate = try Certificate(pemEncoded: certificatePEM)
            key = try P256.Signing.PrivateKey(pemRepresentation: keyPEM)
        } catch {
            throw QueryError(.configurationFileError, "the authority cannot be read: \(error)", cause: error)
        }
        guard certificate.publicKey == Certificate.PublicKey(key.publicKey) else {
            throw QueryError(.configurationFileError, "the authority's key is not that of its certificate")
        }
        self.certificatePEM = certificatePEM
        self.keyPEM = keyPEM
    }

    /// A certificate by which a node is known, as a server and as a client. `hosts`: names and addresses it is reached by.
    package func makeNode(name: String, hosts: [String], days: Int) throws -> CertifiedKey {
        let nodeKey = P256.Signing.PrivateKey()
        let publicKey = Certificate.PublicKey(nodeKey.publicKey)
        let now = Date()
        let names = hosts.map { host -> GeneralName in
            HostAddressBytes.parse(host).map { .ipAddress(ASN1OctetString(contentBytes: $0[...])) } ?? .dnsName(host)
        }
        let node = try Certificate(
            version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: publicKey,
            notValidBefore: now - Self.clockTolerance, notValidAfter: now + Double(days) * 86_400,
            issuer: certificate.subject, subject: try DistinguishedName { CommonName(name) },
            signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try Certificate.Extensions {
                Critical(BasicConstraints.notCertificateAuthority)
                Critical(KeyUsage(digitalSignature: true))
                try ExtendedKeyUsage([.serverAuth, .clientAuth])
                SubjectAlternativeNames(names)
                SubjectKeyIdentifier(hash: publicKey)
                AuthorityKeyIdentifier(
                    keyIdentifier: SubjectKeyIdentifier(hash: certificate.publicKey).keyIdentifier)
            }, issuerPrivateKey: Certificate.PrivateKey(key))
        return CertifiedKey(
            certificate: try node.serializeAsPEM().pemString + "\n", key: nodeKey.pemRepresentation + "\n")
    }
}
