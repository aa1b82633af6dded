// Reading files of a server: ranges that come before they are asked for.

import Columnar
import Diagnostics
import Storage
import Synchronization

/// A range of a remote file that is read from front to back, with the next pieces under way. Places that are skipped are not
/// fetched, as far as they are not under way. Confined to its reader.
final class ReadAhead: ReadableFile, @unchecked Sendable {
    // Unchecked: readers of a file are confined to one thread, and so is what reads ahead for them.
    private static let pieceByteCount = 2 << 20
    private static let firstByteCount = 256 << 10
    private static let piecesAhead = 2

    private struct Piece {
        var range: Range<Int>
        var fetch: any RangeFetch
        /// What was charged for it.
        var held: Int
    }

    private let file: any ReadableFile
    private let end: Int
    private let held: HeldBytes?
    private var pieces: [Piece] = []
    /// Up to where ranges were asked for.
    private var asked: Int
    private var nextByteCount = ReadAhead.firstByteCount

    /// Asks for the first piece at once. `held` is charged for what is under way.
    init(_ file: any ReadableFile, _ range: Range<Int>, held: HeldBytes? = nil) throws {
        self.file = file
        end = range.upperBound
        asked = range.lowerBound
        self.held = held
        try ask()
    }

    /// A range that is under way as a whole, and charged already.
    init(_ file: any ReadableFile, _ range: Range<Int>, fetch: any RangeFetch, held: HeldBytes) {
        self.file = file
        end = range.upperBound
        asked = range.upperBound
        self.held = held
        pieces = [Piece(range: range, fetch: fetch, held: range.count)]
    }

    deinit { for piece in pieces { held?.remove(piece.held) } }

    var identity: FileIdentity { file.identity }
    var isRemote: Bool { true }
    func fetch(_ ranges: [Range<Int>]) throws -> [any RangeFetch] { try file.fetch(ranges) }

    private func ask() throws {
        let count = min(nextByteCount, end - asked)
        guard count > 0 else { return }
        // Pieces grow: who reads only the beginning does not pay for much more.
        nextByteCount = min(nextByteCount * 2, Self.pieceByteCount)
        try held?.add(count)
        do {
            let fetch = try file.fetch([asked..<asked + count])[0]
            pieces.append(Piece(range: asked..<asked + count, fetch: fetch, held: held == nil ? 0 : count))
        } catch {
            held?.remove(count)
            throw error
        }
        asked += count
    }

    private func dropFirst() {
        let piece = pieces.removeFirst()
        held?.remove(piece.held)
    }

    func read(into target: UnsafeMutableRawPointer, count: Int, at offset: Int) throws {
        guard try readSome(into: target, count: count, at: offset) == count else {
            throw QueryError(
                .ioError, "could not read file \"\(identity.path)\": it is too short", object: identity.path)
        }
    }

    func readSome(into target: UnsafeMutableRawPointer, count: Int, at offset: Int) throws -> Int {
        while let first = pieces.first, first.range.upperBound <= offset { dropFirst() }
        if offset < pieces.first?.range.lowerBound ?? asked {
            // Back to what was passed already: nothing reads so, but it would be right.
            return try file.readSome(into: target, count: count, at: offset)
        }
        guard offset < end else { return 0 }
        if pieces.isEmpty { asked = offset }
        var done = 0
        while done < count {
            while pieces.count < Self.piecesAhead, asked < end { try ask() }
            guard let first = pieces.first else { break }
            let (buffer, position) = try first.fetch.wait()
            let at = offset + done
            let part = min(count - done, first.range.upperBound - at)
            (target + done).copyMemory(
                from: buffer.base + position + (at - first.range.lowerBound), byteCount: part)
            done += part
            if at + part == first.range.upperBound { dropFirst() }
        }
        return done
    }
}

/// A remote file some of whose ranges were asked for together; other places are read as they are wanted.
final class PrefetchedFile: ReadableFile {
    private let file: any ReadableFile
    private let ranges: [Range<Int>]
    private let fetches: [any RangeFetch]

    /// Ranges that reach beyond the file are cut.
    init(_ file: any ReadableFile, _ ranges: [Range<Int>]) throws {
        self.file = file
        let whole = 0..<file.identity.byteCount
        self.ranges = ranges.map { $0.clamped(to: whole) }.filter { !$0.isEmpty }
        fetches = try file.fetch(self.ranges)
    }

    var identity: FileIdentity { file.identity }
    var isRemote: Bool { true }
    func fetch(_ ranges: [Range<Int>]) throws -> [any RangeFetch] { try file.fetch(ranges) }
    var heldByteCount: Int { ranges.reduce(0) { $0 + $1.count } }

    func read(into target: UnsafeMutableRawPointer, count: Int, at offset: Int) throws {
        for (range, fetch) in zip(ranges, fetches)
        where range.lowerBound <= offset && offset + count <= range.upperBound {
            let (buffer, position) = try fetch.wait()
            target.copyMemory(from: buffer.base + position + (offset - range.lowerBound), byteCount: count)
            return
        }
        try file.read(into: target, count: count, at: offset)
    }

    func readSome(into target: UnsafeMutableRawPointer, count: Int, at offset: Int) throws -> Int {
        let wanted = max(0, min(count, identity.byteCount - offset))
        if wanted > 0 { try read(into: target, count: wanted, at: offset) }
        return wanted
    }
}
