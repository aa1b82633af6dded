// Tables of Parquet files found before: statements over the same versions of the same files share what is known of them.

import Synchronization

/// Tables of many files, by the exact versions of those files: agreeing on columns and gathering statistics takes as long as
/// a scan when the files are small. Shared by the whole process.
final class ParquetTableCache: Sendable {
    private struct Kept {
        var files: [FileIdentity]
        var table: ParquetTable
    }
    /// Tables kept at most, and files of all of them. A table holds the footers of its files.
    private static let tableCountMax = 16
    private static let fileCountMax = 50_000
    static let shared = ParquetTableCache()

    /// The one used last is the last.
    private let kept = Mutex<[Kept]>([])

    /// The table of `files`. `name` is for errors.
    func table(name: String, files: [FileIdentity]) throws -> ParquetTable {
        let known = kept.withLock { kept -> ParquetTable? in
            guard let index = kept.firstIndex(where: { $0.files == files }) else { return nil }
            let found = kept.remove(at: index)
            kept.append(found)
            return found.table
        }
        if let known { return known }
        let table = try ParquetTable(name: name, files: files)
        guard files.count <= ParquetTableCache.fileCountMax else { return table }
        kept.withLock { kept in
            kept.append(Kept(files: files, table: table))
            var count = kept.reduce(0) { $0 + $1.files.count }
            while kept.count > ParquetTableCache.tableCountMax || count > ParquetTableCache.fileCountMax {
                count -= kept.removeFirst().files.count
            }
        }
        return table
    }
}
