// The catalogue: tables below a prefix, and objects that queries name by their paths.

import Columnar
import Diagnostics
import Dispatch
import EngineConfiguration
import FileFormats
import QueryPlan
import Storage
import Synchronization

/// What a catalogue is once its keys were read.
final class OpenedStore: Sendable {
    let options: S3Options
    let store: S3Store
    let tables: ObjectTables

    init(_ options: S3Options) {
        self.options = options
        store = S3Store(options)
        tables = ObjectTables(store, isSingleWriter: options.isSingleWriter)
    }
}

/// A server, with or without a prefix whose directories and files are the tables of the schema "public".
package final class S3Backend: PathResolvingBackend, FileWritingBackend, FileReadingBackend {
    static let schema = "public"
    private static let pathSchema = "path"

    private let section: ConfigurationSection
    private let state = Mutex<OpenedStore?>(nil)
    private let known = OpenTables()
    let prepared = PreparedFileTables()

    init(_ section: ConfigurationSection) { self.section = section }

    func opened() throws -> OpenedStore {
        try state.withLock { state in
            if let state { return state }
            let made = OpenedStore(try S3Options(section, environment: ProcessEnvironment.variables))
            state = made
            return made
        }
    }

    private var root: ObjectPath? { section["root"].flatMap { ObjectPath($0)?.asDirectory } }

    package func claim(on path: String) -> Int? {
        guard let object = ObjectPath(path) else { return nil }
        guard let root else { return 1 }
        return root.contains(object) ? 1 + root.description.utf8.count : nil
    }

    // MARK: Names

    package func schemaNames() async throws -> [String] { [root == nil ? Self.pathSchema : Self.schema] }

    package func tableNames(schema: String) async throws -> [String] {
        guard schema == Self.schema, let root else { return [] }
        return try await offloaded { [self] in
            try S3Listing(try opened()).tableNames(root)
        }
    }

    package func table(schema: String, name: String) async throws -> (any TableProvider)? {
        let statement = StatementTables.current(self)
        let key = "\(schema)/\(name)"
        if let table = statement?[key] { return table }
        if schema == Self.schema, let table = prepared.visible(name) { return table }
        let found = try await offloaded { [self] () -> (any TableProvider)? in
            let opened = try opened()
            let listing = S3Listing(opened)
            let files: FoundFiles?
            switch schema {
            case Self.schema where root != nil:
                files = try root.flatMap { try listing.table($0, name) }
            case Self.pathSchema:
                files = try listing.files(try checkedRead(name))
            default: files = nil
            }
            guard let files else { return nil }
            let table = try known.table(key, files: files.identities) {
                try FileTable.open(
                    name: name, format: files.format, files: files.identities,
                    options: schema == Self.schema ? opened.options.textOptions : [:], in: opened.store)
            }
            return S3Table(self, table, of: schema == Self.schema ? files.manifested : nil, name: name)
        }
        if let found { statement?.keep(found, key) }
        return found
    }

    // MARK: Paths

    package func resolve(path: String) async throws -> (schema: String, name: String) {
        _ = try checkedRead(path)
        return (Self.pathSchema, path)
    }

    private func checkedRead(_ path: String) throws -> ObjectPath {
        guard let object = ObjectPath(path) else { throw ObjectStoreErrors.notAPath(path) }
        let opened = try opened()
        if let root, root.contains(object) { return object }
        if let roots = opened.options.roots, section["roots"]?.isEmpty == false,
            !roots.contains(where: { $0.contains(object) })
        {
            throw refused("read", object)
        }
        return object
    }

    private func refused(_ action: String, _ path: ObjectPath) -> QueryError {
        QueryError(
            .insufficientPrivilege, "this server does not \(action) the file \"\(path)\"",
            hint: "Objects that may be named lie below prefixes of the configuration key server.file-roots"
                + (action == "write" ? ", or below the root of a catalog that is writable." : "."),
            object: path.description)
    }

    package func makeFileWriter(path: String, format: String, options: [String: String], columns: [Field]) throws
        -> any TableWriter
    {
        StatementTables.current(self)?.turnOff()
        guard let object = ObjectPath(path), !object.key.isEmpty, !object.key.hasSuffix("/") else {
            throw ObjectStoreErrors.notAPath(path)
        }
        let opened = try opened()
        if let root, root.contains(object) {
            guard opened.options.isWritable else { throw refused("write", object) }
        } else if let roots = opened.options.roots, !roots.contains(where: { $0.contains(object) }) {
            throw refused("write", object)
        }
        return try FileTable.makeWriter(
            path: path, format: format, options: options, columns: columns, in: opened.store)
    }

    package func openFile(path: String) throws -> any FileStream {
        let object = try checkedRead(path)
        let store = try opened().store
        return try SequentialFile(store.open(store.identity(path: object.description)))
    }
}

/// Runs work that waits for a server on threads that may wait.
func offloaded<Value: Sendable>(_ body: @Sendable () async throws -> Value) async throws -> Value {
    try await withTaskExecutorPreference(WaitingExecutor.shared) { try await body() }
}

/// Threads beside those that run tasks: these are few, and must not be kept waiting.
private final class WaitingExecutor: TaskExecutor {
    static let shared = WaitingExecutor()

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        DispatchQueue.global().async { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
