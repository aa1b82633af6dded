// Versions of tables of an object store: the newest one, and how the next one comes to be. See TableManifest.

import Diagnostics
import Synchronization

/// The tables below one prefix.
package final class ObjectTables: Sendable {
    package let store: any ObjectStore
    /// Whether the store's conditional writes are known to work; `nil` before the first write.
    private let isConditional = Mutex<Bool?>(nil)
    /// Only this process writes: then a server without conditional writes will do.
    private let isSingleWriter: Bool
    private let lock = Mutex(())
    private let known = Mutex<[String: TableManifest]>([:])
    private static let knownCountMax = 1_000
    /// Other writers may come first so many times.
    private static let attemptCountMax = 200
    /// Tries to find out whether a write whose answer was lost has happened.
    private static let inquiryCountMax = 3

    package init(_ store: any ObjectStore, isSingleWriter: Bool = false) {
        self.store = store
        self.isSingleWriter = isSingleWriter
    }

    /// The newest version of the table at a prefix; `nil` if it has none. A dropped table has one that says so.
    package func latest(_ table: ObjectPath) throws -> TableManifest? {
        guard let object = try store.list(TableManifest.prefix(table), isDeep: true, limit: 1).objects.first,
            let path = ObjectPath(object.path)
        else { return nil }
        // A version is never written again, so its etag need not be looked at; but another store may have the same path.
        let key = "\(object.version) \(object.path)"
        if let manifest = known.withLock({ $0[key] }) { return manifest }
        guard let manifest = try read(path) else {
            throw QueryError(
                .ioError, "the manifest \"\(path)\" was removed while it was read", hint: "Run the query again.",
                object: path.description)
        }
        guard TableManifest.path(table, number: manifest.number) == path else {
            throw QueryError(
                .dataCorrupted, "invalid manifest \"\(path)\": it has the number of another", object: path.description)
        }
        known.withLock { known in
            if known.count >= Self.knownCountMax { known.removeAll() }
            known[key] = manifest
        }
        return manifest
    }

    private func read(_ path: ObjectPath) throws -> TableManifest? {
        try store.get(path).map { try TableManifest(text: $0, path: path) }
    }

    /// The files of a version.
    package func files(_ manifest: TableManifest, of table: ObjectPath) -> [FileIdentity] {
        manifest.entries.map { entry in
            FileIdentity(
                path: table.asDirectory.appending(entry.name).description, byteCount: entry.byteCount, modified: 0,
                version: store.version(stored: entry.version))
        }
    }

    package static func randomName() -> String {
        String(UInt64.random(in: .min ... .max), radix: 36) + String(UInt64.random(in: .min ... .max), radix: 36)
    }

    /// Makes the next version of what `change` makes of the newest one, as often as others come first. Returns what is
    /// published. Throws 08007 if it cannot be found out whether that happened.
    @discardableResult
    package func commit(
        _ table: ObjectPath, change: (TableManifest?) throws -> (isDropped: Bool, entries: [TableManifest.Entry])
    ) throws -> TableManifest {
        let isConditional = try checkConditionalWrites(near: table)
        let writer = Self.randomName()
        func attempt() throws -> TableManifest {
            for _ in 0..<Self.attemptCountMax {
                let current = try latest(table)
                let next = try change(current)
                let number = (current?.number ?? 0) + 1
                guard number <= TableManifest.numberMax else {
                    throw QueryError(.programLimitExceeded, "a table has too many versions")
                }
                let manifest = TableManifest(
                    number: number, isDropped: next.isDropped, writer: writer, entries: next.entries)
                let path = TableManifest.path(table, number: number)
                // Whoever stops it here could not tell whether it has happened.
                if try Interruption.shielded({ try publish(manifest, path, isConditional) }) { return manifest }
            }
            throw QueryError(
                .serializationFailure, "could not change the table at \"\(table)\": others change it all the time",
                hint: "Run the statement again.", object: table.description)
        }
        return isConditional ? try attempt() : try lock.withLock { _ in try attempt() }
    }

    /// Whether the version is now this one; `false` if another writer's is there.
    private func publish(_ manifest: TableManifest, _ path: ObjectPath, _ isConditional: Bool) throws -> Bool {
        var inquiries = 0
        while true {
            do {
                switch try store.put(path, manifest.text, ifAbsent: isConditional) {
                case .stored: return true
                // A try whose answer was lost may have written what the next one finds.
                case .exists: return try read(path)?.writer == manifest.writer
                }
            } catch let error as QueryError {
                // The write may have happened, or may still. Written again with the same number it happens once at most.
                inquiries += 1
                let found: TableManifest?
                do { found = try read(path) } catch {
                    if inquiries < Self.inquiryCountMax { continue }
                    throw Self.unknown(path, error)
                }
                if let found { return found.writer == manifest.writer }
                // An answer that is final says that it has not.
                guard [.connectionFailure, .ioError, .insufficientResources].contains(error.state) else { throw error }
                if inquiries >= Self.inquiryCountMax { throw Self.unknown(path, error) }
            }
        }
    }

    private static func unknown(_ path: ObjectPath, _ reason: any Error) -> QueryError {
        QueryError(
            SQLState("08007"), "it is not known whether the change of the table was made",
            detail: (reason as? QueryError)?.message, hint: "Look at the table before the statement is run again.",
            object: path.description)
    }

    /// Finds out once whether the server refuses to replace an object when it is asked to.
    private func checkConditionalWrites(near table: ObjectPath) throws -> Bool {
        if let known = isConditional.withLock({ $0 }) { return known }
        let probe = table.asDirectory.appending("_probe-\(Self.randomName())")
        var works = false
        do {
            _ = try store.put(probe, [], ifAbsent: true)
            works = try store.put(probe, [], ifAbsent: true) == .exists
        } catch let error as QueryError where error.state == .featureNotSupported {
            works = false
        }
        try? store.delete([probe])
        guard works || isSingleWriter else {
            throw QueryError.notSupported(
                "writing tables on a server that has no conditional writes (If-None-Match)",
                hint: "With the key single-writer of the catalog one process may write them.")
        }
        isConditional.withLock { $0 = works }
        return works
    }
}

/// The change of one statement: its files become part of a table, new or not.
package final class ObjectTableCommit: TableCommit {
    private let tables: ObjectTables
    private let table: ObjectPath
    private let isNew: Bool
    private let name: String
    /// Files that were begun and that no version lists.
    private let written = Mutex<[ObjectPath]>([])

    package init(_ tables: ObjectTables, table: ObjectPath, name: String, isNew: Bool) {
        self.tables = tables
        self.table = table
        self.name = name
        self.isNew = isNew
    }

    package var store: any FileStore { tables.store }

    package func stagingPath(_ name: String) throws -> String {
        let dot = name.lastIndex(of: ".") ?? name.endIndex
        let path = table.asDirectory.appending("_data/\(name[..<dot])-\(ObjectTables.randomName())\(name[dot...])")
        written.withLock { $0.append(path) }
        return path.description
    }

    package func commit(_ files: [DataFile]) throws {
        let prefix = table.asDirectory.description
        let added = try files.map { file in
            guard file.path.hasPrefix(prefix) else { throw QueryError.internalError("a file of another table") }
            return TableManifest.Entry(
                name: String(file.path.dropFirst(prefix.count)), byteCount: file.byteCount, rowCount: file.rowCount,
                version: tables.store.storedVersion(file.version))
        }
        do {
            try tables.commit(table) { [isNew, name] current in
                let isThere = current.map { !$0.isDropped } ?? false
                if isNew, isThere {
                    throw QueryError(.duplicateTable, "relation \"\(name)\" already exists", object: name)
                }
                guard isNew || isThere else {
                    throw QueryError(.undefinedTable, "table \"\(name)\" was dropped by another session", object: name)
                }
                return (false, (isThere ? current?.entries ?? [] : []) + added)
            }
        } catch let error as QueryError where error.state == SQLState("08007") {
            // They may be the table's.
            written.withLock { $0 = [] }
            throw error
        }
        written.withLock { $0 = [] }
    }

    package func abort() {
        let paths = written.withLock { paths in
            defer { paths = [] }
            return paths
        }
        // What stays is never read.
        if !paths.isEmpty { try? tables.store.delete(paths) }
    }
}
