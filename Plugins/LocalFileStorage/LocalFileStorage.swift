// LocalFileStorage: Parquet and CSV files of a directory as tables, and files by their path.

import Columnar
import Diagnostics
import EngineConfiguration
import FileFormats
import PluginHost
import Storage
import Synchronization

/// The plug-in "file". Keys: `directory` (or `path`), `format` to leave out other formats, `writable`, `roots` (where files
/// may be written, on servers), and the options of CSV. Without a directory the catalogue resolves paths in FROM.
package struct LocalFileStoragePlugin: EnginePlugin {
    package let name = "file"
    package init() {}

    private static let ownKeys = ["type", "directory", "path", "format", "writable", "roots"]

    package func makeStorageBackend(_ section: ConfigurationSection) throws -> (any StorageBackend)? {
        try section.checkKeys(LocalFileStoragePlugin.ownKeys + CSVOptions.keys)
        // Without a directory it is the catalogue of files that queries name by their paths.
        guard let directory = section["path"] ?? section["directory"] else {
            return PathBackend(roots: try FileRoots(section["roots"]))
        }
        var format: FileFormat?
        if let name = section["format"] {
            guard let known = FileFormat(rawValue: name.lowercased()) else {
                throw QueryError(
                    .configurationFileError, "\(section.name): there is no file format \"\(name)\"",
                    hint: "Formats: \(FileFormat.allCases.map(\.rawValue).joined(separator: ", ")).")
            }
            format = known
        }
        let options = section.values.filter { CSVOptions.keys.contains($0.key) }
        _ = try CSVOptions(options, format: format ?? .csv)
        let path = try DirectoryListing.absolute(directory)
        var isWritable = section["roots"] == nil ? false : try FileRoots(section["roots"]).allowsWriting(path)
        if let value = section["writable"] {
            guard let flag = ConfigurationValue.boolean(value) else {
                throw QueryError(.configurationFileError, "\(section.name): writable must be true or false")
            }
            isWritable = flag
        }
        return DirectoryBackend(directory: path, format: format, options: options, isWritable: isWritable)
    }
}

/// A directory whose files and sub-directories are the tables of the schema "public".
package final class DirectoryBackend: StorageBackend {
    static let schema = "public"

    let directory: String
    let isWritable: Bool
    private let format: FileFormat?
    private let options: [String: String]
    private let tables = OpenTables()
    private let watched = WatchedTables()
    let prepared = PreparedFileTables()

    init(directory: String, format: FileFormat?, options: [String: String], isWritable: Bool = false) {
        self.directory = directory
        self.format = format
        self.options = options
        self.isWritable = isWritable
    }

    /// The files of one table.
    struct Source {
        var format: FileFormat
        var paths: [String]
    }

    package func schemaNames() async throws -> [String] { [DirectoryBackend.schema] }

    package func tableNames(schema: String) async throws -> [String] {
        schema == DirectoryBackend.schema ? try sources().keys.sorted() : []
    }

    package func table(schema: String, name: String) async throws -> (any TableProvider)? {
        let known = StatementTables.current(self)
        if schema == DirectoryBackend.schema, let table = known?[name] { return table }
        guard schema == DirectoryBackend.schema else { return nil }
        if let table = prepared.visible(name) { return table }
        let table = try watched.table(name) { try look(name) }
        if let table { known?.keep(table, name) }
        return table
    }

    private func look(_ name: String) throws -> WatchedTables.Look? {
        guard let source = try sources(of: name)[name] else { return nil }
        let (files, hasLinks) = try DirectoryListing.identities(source.paths)
        let table = try tables.table(name, files: files) {
            appendable(
                try FileTable.open(name: name, format: source.format, files: files, options: options), name, source)
        }
        guard files.count >= WatchedTables.fileCountMin, !hasLinks else { return .init(table) }
        // Sub-directories whose name differs in case belong to the table as well, whether they hold files or not.
        let inner = try DirectoryListing.entries(directory).filter { $0.isDirectory && $0.name.lowercased() == name }
        return try .init(table, directories: [directory] + inner.map(\.path))
    }

    /// The files of all tables, or of the wanted one: then sub-directories of others, which may be large, are not read.
    func sources(of wanted: String? = nil) throws -> [String: Source] {
        var result: [String: Source] = [:]
        func isWanted(_ name: String) -> Bool { wanted == nil || wanted == name }
        func add(_ name: String, _ format: FileFormat, _ path: String) throws {
            guard isWanted(name), self.format == nil || self.format == format else { return }
            guard result[name] == nil || result[name]?.format == format else {
                throw QueryError(
                    .duplicateTable, "table \"\(name)\" has files of several formats in \"\(directory)\"", object: name)
            }
            result[name, default: Source(format: format, paths: [])].paths.append(path)
        }
        for entry in try DirectoryListing.entries(directory) {
            if !entry.isDirectory {
                if let format = entry.format { try add(DirectoryBackend.tableName(entry.baseName), format, entry.path) }
                continue
            }
            let name = entry.name.lowercased()
            guard isWanted(name) else { continue }
            for inner in try DirectoryListing.entries(entry.path) {
                if let format = inner.format { try add(name, format, inner.path) }
            }
        }
        return result
    }

    /// The table that a file belongs to: files numbered "name-0", "name-1" … make one.
    private static func tableName(_ baseName: String) -> String {
        let name = baseName.lowercased()
        guard let dash = name.lastIndex(of: "-"), dash != name.startIndex else { return name }
        let number = name[name.index(after: dash)...]
        return !number.isEmpty && number.allSatisfy(\.isNumber) ? String(name[..<dash]) : name
    }
}

/// Files named in FROM: one file, a directory, or a pattern.
package final class PathBackend: PathResolvingBackend, FileWritingBackend, FileReadingBackend {
    private static let schema = "path"
    private let tables = OpenTables()
    private let watched = WatchedTables()
    private let roots: FileRoots

    init(roots: FileRoots) { self.roots = roots }
    package convenience init() { self.init(roots: .unlimited) }

    package func schemaNames() async throws -> [String] { [PathBackend.schema] }
    package func tableNames(schema: String) async throws -> [String] { [] }

    package func resolve(path: String) async throws -> (schema: String, name: String) {
        let full = try DirectoryListing.absolute(path)
        // Before anything there is looked at.
        try roots.checkRead(full)
        // Tables of many files are found here already.
        if DirectoryListing.isPattern(full) || DirectoryListing.isDirectory(full) {
            guard try table(full) != nil else {
                throw QueryError(.undefinedFile, "no files match \"\(path)\"", object: path)
            }
        } else {
            _ = try FileIdentity(path: full)
        }
        return (PathBackend.schema, full)
    }

    package func table(schema: String, name: String) async throws -> (any TableProvider)? {
        guard schema == PathBackend.schema else { return nil }
        try roots.checkRead(try DirectoryListing.absolute(name))
        guard let table = try table(name) else {
            throw QueryError(.undefinedFile, "no files match \"\(name)\"", object: name)
        }
        return table
    }

    private func table(_ path: String) throws -> (any TableProvider)? {
        let known = StatementTables.current(self)
        if let table = known?[path] { return table }
        let table = try watched.table(path) { try look(path) }
        if let table { known?.keep(table, path) }
        return table
    }

    private func look(_ path: String) throws -> WatchedTables.Look? {
        let paths = try files(path)
        for path in paths { try roots.checkRead(path) }
        guard let first = paths.first else { return nil }
        let (identities, hasLinks) = try DirectoryListing.identities(paths)
        let table = try tables.table(path, files: identities) {
            let format = try PathBackend.format(first)
            if let other = try paths.first(where: { try PathBackend.format($0) != format }) {
                throw QueryError(
                    .datatypeMismatch, "\"\(path)\" matches files of several formats",
                    detail: "Files: \(first), \(other).", object: path)
            }
            return try FileTable.open(name: path, format: format, files: identities)
        }
        // A pattern of directories depends on more of them than those of its files.
        let parent = DirectoryListing.parents([path]).first ?? "/"
        let directory = DirectoryListing.isPattern(path) ? parent : path
        guard identities.count >= WatchedTables.fileCountMin, !hasLinks, !DirectoryListing.isPattern(directory) else {
            return .init(table)
        }
        return try .init(table, directories: [directory])
    }

    package func makeFileWriter(path: String, format: String, options: [String: String], columns: [Field]) throws
        -> any TableWriter
    {
        StatementTables.current(self)?.turnOff()
        let full = try DirectoryListing.absolute(path)
        try roots.checkWrite(full)
        return try FileTable.makeWriter(path: full, format: format, options: options, columns: columns)
    }

    package func openFile(path: String) throws -> any FileStream {
        let full = try DirectoryListing.absolute(path)
        try roots.checkRead(full)
        return try SequentialFile(LocalFile(path: full))
    }

    private static func format(_ path: String) throws -> FileFormat {
        let fileName = path.split(separator: "/").last.map(String.init) ?? path
        // Many files of JSON lines have the name of plain JSON.
        if fileName.hasSuffix(".json") || fileName.hasSuffix(".json.gz") { return .jsonl }
        guard let (format, _) = FileFormat.of(fileName: fileName) else {
            throw QueryError(
                .featureNotSupported, "the format of file \"\(path)\" is not known by its name",
                hint: "Known endings: \(FileFormat.allCases.map { "." + $0.rawValue }.joined(separator: ", ")).",
                object: path)
        }
        return format
    }

    private func files(_ path: String) throws -> [String] {
        if DirectoryListing.isPattern(path) { return try DirectoryListing.glob(path, within: roots) }
        if DirectoryListing.isDirectory(path) {
            return try DirectoryListing.entries(path).compactMap { entry in
                let isFile =
                    entry.format != nil || entry.leadsOut(of: roots) && FileFormat.of(fileName: entry.name) != nil
                return isFile ? entry.path : nil
            }
        }
        _ = try FileIdentity(path: path)
        return [path]
    }
}
