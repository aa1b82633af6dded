// Statistics of a table from its footers and the headers of some dictionaries.

import Columnar
import Diagnostics
import Glibc
import Storage

/// Files that are looked into, open for all columns: few of a table's files.
private struct SampledFiles {
    private var files: [FileIdentity: any ReadableFile] = [:]

    /// Asks for all that will be looked at in files of a server, at the same time.
    mutating func prepare(_ places: [(file: ParquetFile, range: Range<Int>)]) {
        var ranges: [FileIdentity: [Range<Int>]] = [:]
        for place in places where place.file.store.isRemote {
            ranges[place.file.identity, default: []].append(place.range)
        }
        for place in places where files[place.file.identity] == nil {
            guard let wanted = ranges[place.file.identity], let file = try? place.file.store.open(place.file.identity)
            else { continue }
            files[place.file.identity] = try? PrefetchedFile(file, wanted)
        }
    }

    mutating func open(_ file: ParquetFile) -> (any ReadableFile)? {
        if let known = files[file.identity] { return known }
        guard let opened = try? file.store.open(file.identity) else { return nil }
        files[file.identity] = opened
        return opened
    }
}

enum ParquetTableStatistics {
    /// Dictionaries looked at per column.
    private static let sampleMax = 3

    /// One column chunk of the table.
    private struct Piece {
        var file: ParquetFile
        var chunk: ParquetColumnChunk
        var bounds: ColumnBounds
    }

    static func make(_ files: [ParquetFile], _ columnsByFile: [[ParquetColumn]]) throws -> TableStatistics {
        var rows = 0
        var bytes = 0
        for file in files {
            rows += file.metadata.rowCount
            bytes += file.identity.byteCount
        }
        let columnCount = columnsByFile.first?.count ?? 0
        var sources = SampledFiles()
        var result: [ColumnStatistics] = []
        var columns: [[Piece]] = []
        for ordinal in 0..<columnCount {
            var pieces: [Piece] = []
            for (index, file) in files.enumerated() {
                let column = columnsByFile[index][ordinal]
                for group in file.metadata.rowGroups where group.rowCount > 0 {
                    let chunk = group.columns[column.leaf]
                    pieces.append(Piece(file: file, chunk: chunk, bounds: column.bounds(chunk)))
                }
            }
            columns.append(pieces)
        }
        sources.prepare(
            columns.flatMap { pieces in
                sampled(pieces).map { ($0.file, $0.chunk.offset..<$0.chunk.offset + headByteCount($0.chunk)) }
            })
        for (ordinal, pieces) in columns.enumerated() {
            result.append(
                pieces.isEmpty || columnsByFile[0][ordinal].unsupported != nil
                    ? ColumnStatistics() : column(columnsByFile[0][ordinal], pieces, &sources))
        }
        return TableStatistics(rowCount: Double(rows), byteCount: Double(bytes), columns: result)
    }

    private static func column(
        _ column: ParquetColumn, _ pieces: [Piece], _ sources: inout SampledFiles
    ) -> ColumnStatistics {
        var statistics = ColumnStatistics()
        let rows = pieces.reduce(0) { $0 + $1.bounds.rowCount }
        var nulls: Int? = 0
        for piece in pieces { nulls = nulls.flatMap { sum in piece.bounds.nullCount.map { sum + $0 } } }
        if let nulls, rows > 0 { statistics.nullFraction = Double(nulls) / Double(rows) }
        (statistics.minimum, statistics.maximum) = extremes(pieces)
        statistics.isApart = isApart(pieces)
        let notNull = Double(rows - (nulls ?? 0))
        if column.type == .boolean {
            statistics.distinctCount = min(2, notNull)
            return statistics
        }
        let samples = sampled(pieces).compactMap { sample($0, &sources) }
        var range: Double?
        if let low = number(statistics.minimum), let high = number(statistics.maximum), !column.type.isFloat {
            range = high - low + 1
        }
        statistics.distinctCount = distinctCount(samples, pieces, notNull: notNull, range: range)
        if column.physical == .byteArray { statistics.averageByteCount = averageLength(samples, pieces) }
        if column.physical == .fixedByteArray, column.type.physical == .view {
            statistics.averageByteCount = Double(column.typeLength)
        }
        return statistics
    }

    private static func extremes(_ pieces: [Piece]) -> (ScalarValue?, ScalarValue?) {
        var minimum: ScalarValue?
        var maximum: ScalarValue?
        for piece in pieces where piece.bounds.nullCount != piece.bounds.rowCount {
            guard let low = piece.bounds.minimum, let high = piece.bounds.maximum else { return (nil, nil) }
            if minimum.map({ (ScalarOrder.compare(low, $0) ?? 0) < 0 }) ?? true { minimum = low }
            if maximum.map({ (ScalarOrder.compare(high, $0) ?? 0) > 0 }) ?? true { maximum = high }
        }
        return (minimum, maximum)
    }

    /// Whether no value is in two row groups. Bounds that are wider than the values only make it say so less often.
    private static func isApart(_ pieces: [Piece]) -> Bool {
        if pieces.count == 1 { return true }
        var bounds: [(low: ScalarValue, high: ScalarValue)] = []
        var nullPieceCount = 0
        for piece in pieces {
            guard let nullCount = piece.bounds.nullCount else { return false }
            if nullCount > 0 { nullPieceCount += 1 }
            if nullCount == piece.bounds.rowCount { continue }
            guard let low = piece.bounds.minimum, let high = piece.bounds.maximum, isWhole(low), isWhole(high) else {
                return false
            }
            bounds.append((low, high))
        }
        guard nullPieceCount <= 1 else { return false }
        bounds.sort { (ScalarOrder.compare($0.low, $1.low) ?? 0) < 0 }
        return zip(bounds, bounds.dropFirst()).allSatisfy { (ScalarOrder.compare($0.high, $1.low) ?? 0) < 0 }
    }

    /// Values that are equal only if they are the same, and ordered as their type is: numbers but floats, dates, times.
    private static func isWhole(_ value: ScalarValue) -> Bool {
        switch value {
        case .integer, .decimal: true
        default: false
        }
    }

    private static func number(_ value: ScalarValue?) -> Double? {
        switch value {
        case .integer(let number): Double(number)
        case .decimal(let number): Double(number)
        default: nil
        }
    }

    private struct Sample {
        var entryCount: Double
        var rowCount: Double
        /// Every value of the chunk is in the dictionary.
        var isComplete: Bool
        var averageLength: Double
    }

    /// The pieces of a column that are looked into.
    private static func sampled(_ pieces: [Piece]) -> [Piece] {
        let step = max(1, pieces.count / sampleMax)
        return stride(from: 0, to: pieces.count, by: step).prefix(sampleMax).map { pieces[$0] }
    }

    private static func headByteCount(_ chunk: ParquetColumnChunk) -> Int { min(128, chunk.compressedByteCount) }

    /// Reads the header of a chunk's dictionary.
    private static func sample(_ piece: Piece, _ sources: inout SampledFiles) -> Sample? {
        let rows = Double(piece.bounds.rowCount - (piece.bounds.nullCount ?? 0))
        if let count = piece.chunk.statistics.distinctCount, count > 0 {
            return Sample(entryCount: Double(count), rowCount: rows, isComplete: true, averageLength: 0)
        }
        let buffer = Buffer(byteCount: 128)
        let count = headByteCount(piece.chunk)
        guard let file = sources.open(piece.file),
            (try? file.read(into: buffer.base, count: count, at: piece.chunk.offset)) != nil
        else { return nil }
        var reader = ThriftReader(buffer.base, count: count)
        guard let header = try? PageHeader(&reader), header.kind == .dictionary, header.valueCount > 0 else {
            return nil
        }
        // Writers give up on a dictionary of about a megabyte.
        let isComplete = piece.chunk.isFullyDictionary ?? (header.uncompressedByteCount < 900_000)
        let length = Double(header.uncompressedByteCount) / Double(header.valueCount) - 4
        return Sample(
            entryCount: Double(header.valueCount), rowCount: rows, isComplete: isComplete,
            averageLength: max(0, length))
    }

    private static func averageLength(_ samples: [Sample], _ pieces: [Piece]) -> Double? {
        let lengths = samples.map(\.averageLength).filter { $0 > 0 }
        if !lengths.isEmpty { return lengths.reduce(0, +) / Double(lengths.count) }
        let bytes = pieces.reduce(0) { $0 + $1.chunk.uncompressedByteCount }
        let rows = pieces.reduce(0) { $0 + $1.bounds.rowCount }
        return rows > 0 ? max(0, Double(bytes) / Double(rows) - 4) : nil
    }

    /// Distinct values of the table from those of some chunks: if chunks hold ranges of their own, they add up; otherwise
    /// each chunk is taken as random draws from the same set.
    private static func distinctCount(
        _ samples: [Sample], _ pieces: [Piece], notNull: Double, range: Double?
    ) -> Double? {
        if notNull == 0 { return 0 }
        let limit = min(notNull, range ?? notNull)
        guard !samples.isEmpty, samples.allSatisfy(\.isComplete) else { return limit }
        let entries = samples.map(\.entryCount).reduce(0, +) / Double(samples.count)
        let rows = samples.map(\.rowCount).reduce(0, +) / Double(samples.count)
        if pieces.count == 1 { return min(entries, limit) }
        if let range, range > 1 {
            var covered = 0.0
            for piece in pieces {
                if let low = number(piece.bounds.minimum), let high = number(piece.bounds.maximum) {
                    covered += high - low + 1
                }
            }
            if covered <= range * 1.5 { return min(entries * Double(pieces.count), limit) }
        }
        var low = entries
        var high = max(entries, notNull)
        for _ in 0..<60 {
            let middle = (low + high) / 2
            if middle * (1 - exp(-rows / middle)) < entries { low = middle } else { high = middle }
        }
        return max(1, min(high, limit))
    }
}
