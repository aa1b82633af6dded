// Signing requests: Signature Version 4, as S3 and the servers that speak its protocol check it.

import CCrypto

/// What a request is signed with. Never shown.
struct Credentials: Sendable, Hashable, CustomStringConvertible {
    var accessKey: String
    var secretKey: String
    var sessionToken: String?

    var description: String { "credentials" }
}

enum Digest {
    static func sha256(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: 32) { buffer, count in
            _ = SHA256(bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), bytes.count, buffer.baseAddress)
            count = 32
        }
    }

    static func sha256(_ text: String) -> [UInt8] { Array(text.utf8).withUnsafeBytes { sha256($0) } }

    static func hmac(_ key: [UInt8], _ text: String) -> [UInt8] {
        var text = text
        return text.withUTF8 { bytes in
            [UInt8](unsafeUninitializedCapacity: 32) { buffer, count in
                let isMade = martlet_hmac_sha256(
                    key, Int32(key.count), bytes.baseAddress, bytes.count, buffer.baseAddress)
                count = isMade == 0 ? 0 : 32
            }
        }
    }

    static func hexadecimal(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(
            decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}

enum PercentEncoding {
    /// Everything but letters, digits and `-._~` as `%XX`; the slash stays if asked.
    static func encode(_ text: String, keepsSlash: Bool = false) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var result: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                result.append(byte)
            case UInt8(ascii: "/") where keepsSlash: result.append(byte)
            default: result += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// Bytes that are no valid escape stay as they are. A plus stays a plus.
    static func decode(_ text: String) -> String {
        func digit(_ byte: UInt8) -> UInt8? {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
            default: nil
            }
        }
        let bytes = Array(text.utf8)
        var result: [UInt8] = []
        var index = 0
        while index < bytes.count {
            if bytes[index] == UInt8(ascii: "%"), index + 2 < bytes.count, let high = digit(bytes[index + 1]),
                let low = digit(bytes[index + 2])
            {
                result.append(high << 4 | low)
                index += 3
            } else {
                result.append(bytes[index])
                index += 1
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}

/// A point in time as the signature names it.
struct SigningTime {
    /// `20150830T123600Z`, and its first eight characters.
    let stamp: String
    var day: String { String(stamp.prefix(8)) }

    /// - Parameter seconds: since 1970, UTC.
    init(seconds: Int) {
        let days = Int((Double(seconds) / 86400).rounded(.down))
        let rest = seconds - days * 86400
        // Civil date from a day number, by eras of 400 years that begin in March.
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        func digits(_ number: Int, _ count: Int) -> String {
            let text = String(number)
            return String(repeating: "0", count: max(0, count - text.count)) + text
        }
        stamp =
            "\(digits(year, 4))\(digits(month, 2))\(digits(day, 2))T\(digits(rest / 3600, 2))"
            + "\(digits(rest / 60 % 60, 2))\(digits(rest % 60, 2))Z"
    }

    init(stamp: String) { self.stamp = stamp }
}

/// A request as far as its signature goes.
struct SignableRequest {
    var method: String
    /// As it is sent: escaped.
    var path: String
    /// Not escaped.
    var query: [(name: String, value: String)]
    /// Names in lower case; `host` among them.
    var headers: [(name: String, value: String)]
    /// The payload's digest in hexadecimal digits.
    var payloadDigest: String

    /// The query as it is sent and signed.
    var queryText: String {
        query.map { (PercentEncoding.encode($0.name), PercentEncoding.encode($0.value)) }
            .sorted { $0.0 == $1.0 ? $0.1 < $1.1 : $0.0 < $1.0 }
            .map { "\($0.0)=\($0.1)" }.joined(separator: "&")
    }

    var signedNames: String { headers.map(\.name).sorted().joined(separator: ";") }

    var canonicalText: String {
        let lines = headers.sorted { $0.name < $1.name }.map { header in
            let words = header.value.split(separator: " ").joined(separator: " ")
            return "\(header.name):\(words)\n"
        }
        return [method, path, queryText, lines.joined(), signedNames, payloadDigest].joined(separator: "\n")
    }
}

enum SignatureV4 {
    private static let algorithm = "AWS4-HMAC-SHA256"

    /// The value of the header `authorization`.
    static func authorization(
        _ request: SignableRequest, credentials: Credentials, region: String, service: String, time: SigningTime
    ) -> String {
        let scope = "\(time.day)/\(region)/\(service)/aws4_request"
        let text = [
            algorithm, time.stamp, scope, Digest.hexadecimal(Digest.sha256(request.canonicalText)),
        ].joined(separator: "\n")
        var key = Digest.hmac(Array("AWS4\(credentials.secretKey)".utf8), time.day)
        for part in [region, service, "aws4_request"] { key = Digest.hmac(key, part) }
        return "\(algorithm) Credential=\(credentials.accessKey)/\(scope), SignedHeaders=\(request.signedNames), "
            + "Signature=\(Digest.hexadecimal(Digest.hmac(key, text)))"
    }
}
