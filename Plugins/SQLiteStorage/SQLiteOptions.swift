// The keys of a catalogue of type "sqlite".

import Diagnostics
import EngineConfiguration

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// What a section of the configuration says, checked.
package struct SQLiteOptions: Sendable {
    package static let keys = [
        ConfigurationKey("path", .path, "", "The database file. It must be there, unless create is true."),
        ConfigurationKey("create", .boolean, "false", "Whether the file is made when a statement first writes."),
        ConfigurationKey("read-only", .boolean, "false", "Whether statements that change the database are refused."),
        ConfigurationKey(
            "journal-mode", .choice(["keep", "wal"]), "keep",
            "Whether the file is switched to the write-ahead log, in which readers and writers do not wait for each "
                + "other, or keeps its mode. A file that is made has the log."),
        ConfigurationKey(
            "busy-timeout", .duration, "5s", "Longest time that a statement waits for a lock; then error 55P03."),
        ConfigurationKey(
            "readers", .integer(minimum: 1, maximum: 64), "4",
            "Connections that read the tables of one statement at the same time."),
        ConfigurationKey(
            "split-rows", .integer(minimum: 1000, maximum: 1_000_000_000), "100000",
            "Rows of a table that one reader reads at a time."),
    ]

    /// The catalogue's name, for messages.
    package var name: String
    package var path: String
    var makesFile: Bool
    var isReadOnly: Bool
    var switchesJournal: Bool
    var busyMilliseconds: Int
    var readerCountMax: Int
    var rowsPerSplit: Int

    package init(_ section: ConfigurationSection) throws {
        let values = try section.values(of: Self.keys)
        name = section.name
        guard let path = values["path"], !path.isEmpty else {
            throw QueryError(.configurationFileError, "\(section.name): the key \"path\" is missing", object: "path")
        }
        // Names with another meaning to the library: none of them is a file.
        guard !path.hasPrefix(":"), !path.utf8.contains(0) else {
            throw QueryError(
                .configurationFileError, "\(section.name): path must name a file, not \"\(path)\"", object: "path")
        }
        self.path = path
        func flag(_ key: String) -> Bool { ConfigurationValue.boolean(values[key] ?? "") ?? false }
        makesFile = flag("create")
        isReadOnly = flag("read-only")
        switchesJournal = values["journal-mode"] == "wal"
        busyMilliseconds = ConfigurationValue.milliseconds(values["busy-timeout"] ?? "") ?? 0
        readerCountMax = Int(values["readers"] ?? "") ?? 1
        rowsPerSplit = Int(values["split-rows"] ?? "") ?? 100_000
        guard !(makesFile && isReadOnly) else {
            throw QueryError(
                .configurationFileError, "\(section.name): a file that is only read cannot be made",
                object: "create")
        }
    }

    func checkWritable() throws {
        guard isReadOnly else { return }
        throw QueryError(
            .readOnlySQLTransaction, "catalog \"\(name)\" is read-only", hint: "Its key read-only says so.")
    }
}
