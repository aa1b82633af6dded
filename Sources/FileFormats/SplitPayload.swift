// The payload of splits over files: which version of which file, and which part of it.

import Diagnostics

/// A part of a file. Parquet counts parts in row groups, text formats in bytes.
struct FilePart: Hashable, Sendable {
    var identity: FileIdentity
    var start: Int
    var end: Int

    private static let version: UInt8 = 1
    /// With the store's own version of the file in front of the path.
    private static let versionOfVersions: UInt8 = 4

    var payload: [UInt8] {
        let version = Array(identity.version.utf8)
        var bytes: [UInt8] = [version.isEmpty ? FilePart.version : FilePart.versionOfVersions]
        bytes.reserveCapacity(33 + identity.path.utf8.count)
        for number in [identity.byteCount, Int(identity.modified), start, end] {
            withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
        }
        if !version.isEmpty {
            withUnsafeBytes(of: UInt32(version.count).littleEndian) { bytes.append(contentsOf: $0) }
            bytes.append(contentsOf: version)
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
        try self.init(payload[...])
    }

    fileprivate init(_ payload: ArraySlice<UInt8>) throws {
        let start = payload.startIndex
        let layout = QueryError(.versionMismatch, "a split of a file has an unknown layout")
        let isVersioned = payload.first == FilePart.versionOfVersions
        guard payload.count > (isVersioned ? 37 : 33), isVersioned || payload[start] == FilePart.version else {
            throw layout
        }
        func number(_ index: Int) -> Int {
            var value: UInt64 = 0
            for byte in 0..<8 { value |= UInt64(payload[start + 1 + index * 8 + byte]) << UInt64(byte * 8) }
            return Int(truncatingIfNeeded: value)
        }
        var pathStart = start + 33
        var version = ""
        if isVersioned {
            let count = payload[pathStart..<pathStart + 4].reversed().reduce(0) { $0 << 8 | Int($1) }
            pathStart += 4
            guard count < payload.endIndex - pathStart else { throw layout }
            version = String(decoding: payload[pathStart..<pathStart + count], as: UTF8.self)
            pathStart += count
        }
        identity = FileIdentity(
            path: String(decoding: payload[pathStart...], as: UTF8.self), byteCount: number(0),
            modified: Int64(number(1)), version: version)
        self.start = number(2)
        end = number(3)
    }
}

/// Parts of several files that make one split, because each of them is little work.
enum FileParts {
    private static let version: UInt8 = 2

    static func payload(_ parts: [FilePart]) -> [UInt8] {
        if parts.count == 1 { return parts[0].payload }
        var bytes = [FileParts.version]
        for part in parts {
            let payload = part.payload
            withUnsafeBytes(of: UInt32(payload.count).littleEndian) { bytes.append(contentsOf: $0) }
            bytes += payload
        }
        return bytes
    }

    /// At least one part.
    static func decode(_ payload: [UInt8]) throws -> [FilePart] {
        guard payload.first == FileParts.version else { return [try FilePart(payload: payload)] }
        var parts: [FilePart] = []
        var rest = payload[1...]
        while !rest.isEmpty {
            let count = rest.prefix(4).reversed().reduce(0) { $0 << 8 | Int($1) }
            let part = rest.dropFirst(4).prefix(count)
            parts.append(try FilePart(part))
            rest = rest.dropFirst(4 + count)
        }
        guard !parts.isEmpty else { throw QueryError(.versionMismatch, "a split of files has no parts") }
        return parts
    }
}

/// A number of rows of which nothing is read.
enum RowCountPart {
    private static let version: UInt8 = 3

    static func payload(_ count: Int) -> [UInt8] {
        withUnsafeBytes(of: UInt64(count).littleEndian) { [version] + Array($0) }
    }

    /// The number, or `nil` if the payload is of another kind.
    static func decode(_ payload: [UInt8]) throws -> Int? {
        guard payload.first == version else { return nil }
        guard payload.count == 9 else { throw QueryError(.versionMismatch, "a split of rows has an unknown layout") }
        return Int(payload[1...].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
    }
}
