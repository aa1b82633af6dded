// Names of objects: s3://BUCKET/KEY.

import Diagnostics

/// A bucket and a key, or the beginning of keys.
package struct ObjectPath: Hashable, Sendable, CustomStringConvertible {
    package static let scheme = "s3://"
    package var bucket: String
    package var key: String

    package init(bucket: String, key: String) {
        self.bucket = bucket
        self.key = key
    }

    /// `nil` if the text is no such path.
    package init?(_ text: String) {
        guard text.hasPrefix(Self.scheme) else { return nil }
        let rest = text.dropFirst(Self.scheme.count)
        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        let bucket = rest[..<slash]
        guard !bucket.isEmpty, bucket.utf8.count <= 255,
            bucket.utf8.allSatisfy({
                switch $0 {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"):
                    true
                default: false
                }
            })
        else { return nil }
        self.bucket = String(bucket)
        key = String(rest[slash...].dropFirst())
    }

    package var description: String { "\(Self.scheme)\(bucket)/\(key)" }

    /// The same with a slash at its end, unless it is a whole bucket.
    package var asDirectory: ObjectPath {
        key.isEmpty || key.hasSuffix("/") ? self : ObjectPath(bucket: bucket, key: key + "/")
    }

    package func contains(_ other: ObjectPath) -> Bool {
        bucket == other.bucket && (other.key.hasPrefix(asDirectory.key) || other.asDirectory == asDirectory)
    }

    package func appending(_ text: String) -> ObjectPath { ObjectPath(bucket: bucket, key: key + text) }

    /// What stands behind the last slash.
    package var name: String { String(key[(key.lastIndex(of: "/").map { key.index(after: $0) } ?? key.startIndex)...]) }
}
