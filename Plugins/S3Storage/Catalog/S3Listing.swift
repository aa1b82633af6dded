// Which files there are: of a table below the root, of a path, of a pattern.

import Diagnostics
import FileFormats

/// Files of one format.
struct FoundFiles: Sendable {
    var format: FileFormat
    var identities: [FileIdentity]
    /// The table whose newest version lists them, if they have one.
    var manifested: ObjectPath?
}

struct S3Listing {
    private let store: S3Store
    private let tables: ObjectTables
    private let format: FileFormat?

    init(_ opened: OpenedStore) {
        store = opened.store
        tables = opened.tables
        format = opened.options.format
    }

    private static func isHidden(_ name: String) -> Bool { name.isEmpty || name.hasPrefix(".") || name.hasPrefix("_") }

    /// The table that a file right below the root belongs to: files numbered "name-0", "name-1" … make one.
    private static func tableName(_ baseName: String) -> String {
        let name = baseName.lowercased()
        guard let dash = name.lastIndex(of: "-"), dash != name.startIndex else { return name }
        let number = name[name.index(after: dash)...]
        return !number.isEmpty && number.allSatisfy(\.isNumber) ? String(name[..<dash]) : name
    }

    // MARK: Tables

    func tableNames(_ root: ObjectPath) throws -> [String] {
        let listing = try store.list(root, isDeep: false, limit: nil)
        var names: Set<String> = []
        for file in listing.objects {
            guard let known = self.known(file) else { continue }
            names.insert(Self.tableName(known.baseName))
        }
        for directory in listing.directories {
            let name = String(directory.key.dropLast().dropFirst(root.key.count))
            if !Self.isHidden(name), try directoryFiles(directory) != nil { names.insert(name.lowercased()) }
        }
        return names.sorted()
    }

    func table(_ root: ObjectPath, _ name: String) throws -> FoundFiles? {
        guard !Self.isHidden(name), !name.contains("/") else { return nil }
        if let found = try directoryFiles(root.appending(name + "/")) { return found }
        // Names in lower case mean files in any.
        let listing = try store.list(root, isDeep: false, limit: nil)
        var files: [(FileIdentity, FileFormat)] = []
        for file in listing.objects {
            if let known = self.known(file), Self.tableName(known.baseName) == name {
                files.append((file, known.format))
            }
        }
        for directory in listing.directories {
            let own = String(directory.key.dropLast().dropFirst(root.key.count))
            guard own != name, own.lowercased() == name else { continue }
            if let found = try directoryFiles(directory), files.isEmpty { return found }
        }
        return try oneFormat(files, name)
    }

    /// Files of a directory: those of its newest version if it has versions, else those that a listing shows.
    private func directoryFiles(_ directory: ObjectPath) throws -> FoundFiles? {
        if let manifest = try tables.latest(directory) {
            if manifest.isDropped { return nil }
            return FoundFiles(
                format: .parquet, identities: tables.files(manifest, of: directory), manifested: directory)
        }
        let listing = try store.list(directory, isDeep: false, limit: nil)
        return try oneFormat(
            listing.objects.compactMap { file in known(file).map { (file, $0.format) } }, directory.description)
    }

    private func known(_ file: FileIdentity) -> (format: FileFormat, baseName: String)? {
        guard let path = ObjectPath(file.path), !Self.isHidden(path.name),
            let known = FileFormat.of(fileName: path.name), format == nil || known.format == format
        else { return nil }
        return known
    }

    private func oneFormat(_ files: [(FileIdentity, FileFormat)], _ name: String) throws -> FoundFiles? {
        guard let first = files.first else { return nil }
        if let other = files.first(where: { $0.1 != first.1 }) {
            throw QueryError(
                .duplicateTable, "table \"\(name)\" has files of several formats",
                detail: "Files: \(first.0.path), \(other.0.path).", object: name)
        }
        return FoundFiles(format: first.1, identities: files.map(\.0))
    }

    // MARK: Paths

    /// The format that a path tells; also plain JSON, which many files of JSON lines are called.
    private func format(_ path: ObjectPath) throws -> FileFormat {
        let name = path.name
        if name.hasSuffix(".json") || name.hasSuffix(".json.gz") { return .jsonl }
        guard let (format, _) = FileFormat.of(fileName: name) else {
            throw QueryError(
                .featureNotSupported, "the format of file \"\(path)\" is not known by its name",
                hint: "Known endings: \(FileFormat.allCases.map { "." + $0.rawValue }.joined(separator: ", ")).",
                object: path.description)
        }
        return format
    }

    /// The files of an object's path, of a directory's or of a pattern; throws 58P01 if there are none.
    func files(_ path: ObjectPath) throws -> FoundFiles {
        let missing = QueryError(.undefinedFile, "no files match \"\(path)\"", object: path.description)
        if KeyPattern.isPattern(path.key) {
            let prefix = ObjectPath(bucket: path.bucket, key: KeyPattern.fixedPrefix(path.key))
            let pattern = KeyPattern(path.key)
            let found = try store.list(prefix, isDeep: true, limit: nil).objects.filter { file in
                guard let object = ObjectPath(file.path) else { return false }
                let parts = object.key.dropFirst(prefix.key.count).split(separator: "/")
                return !parts.contains { Self.isHidden(String($0)) && !$0.isEmpty } && pattern.matches(object.key)
            }
            let files = try found.compactMap { file in try ObjectPath(file.path).map { (file, try format($0)) } }
            guard let result = try oneFormat(files, path.description) else { throw missing }
            return result
        }
        if !path.key.isEmpty, !path.key.hasSuffix("/"), let file = try store.head(path) {
            return FoundFiles(format: try format(path), identities: [file])
        }
        guard let result = try directoryFiles(path.asDirectory) else { throw missing }
        return result
    }
}
