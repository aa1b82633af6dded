// The payload of splits over files: which version of which file, and which part of it.

import Diagnostics

/// A part of a file. Parquet counts parts in row groups, text formats in bytes.
struct FilePart: Hashable, Sendable {
    var identity: FileIdentity
    var start: Int
    var end: Int

    private static let version: UInt8 = 1

    var payload: [UInt8] {
        var bytes: [UInt8] = [FilePart.version]
        for number in [identity.byteCount, Int(identity.modified), start, end] {
            withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
        }
        bytes.append(contentsOf: identity.path.utf8)
        return bytes
    }

    init(identity: FileIdentity, start: Int, end: Int) {
        self.identity = identity
        self.start = start
        self.end = end
    }

    init(payload: [UInt8]) throws {
        guard payload.count > 33, payload[0] == FilePart.version else {
            throw QueryError(.versionMismatch, "a split of a file has an unknown layout")
        }
        func number(_ index: Int) -> Int {
            var value: UInt64 = 0
            for byte in 0..<8 { value |= UInt64(payload[1 + index * 8 + byte]) << UInt64(byte * 8) }
            return Int(truncatingIfNeeded: value)
        }
        identity = FileIdentity(
            path: String(decoding: payload[33...], as: UTF8.self), byteCount: number(0), modified: Int64(number(1)))
        start = number(2)
        end = number(3)
    }
}
