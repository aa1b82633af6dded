// Where completions come from: the catalogue through the shell's connection, the directory, and the shell itself.

import Diagnostics

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Asks for names when they are needed and keeps them until statements may have changed them. Confined to the shell.
final class CompletionSource {
    private struct Relation {
        var schema: String
        var name: String
        var isVisible: Bool
    }
    private static let candidateCountMax = 500

    private unowned let shell: Shell
    private var connection: any ShellConnection { shell.connection }
    private var relations: [Relation]?
    private var functions: [String]?
    private var settings: [String]?
    private var columns: [[String]: [String]] = [:]

    init(shell: Shell) { self.shell = shell }

    /// Names may be other ones now.
    func forget() {
        relations = nil
        columns = [:]
    }

    func completions(for context: CompletionContext) async -> [Completion] {
        let prefix = context.prefix
        var found: [Completion]
        switch context.subject {
        case .metaCommand: found = Self.matching(MetaCommand.names.map { "\\" + $0 }, prefix, suffix: " ")
        case .path(let closing): return Self.paths(prefix, closing)
        case .format: found = Self.matching(OutputFormat.allCases.map(\.rawValue), prefix, suffix: "")
        case .setting: found = Self.matching(await loadSettings(), prefix, suffix: " ")
        case .functionName: found = Self.matching(await loadFunctions(), prefix, suffix: "")
        case .schema: found = Self.matching(Set(await loadRelations().map(\.schema)).sorted(), prefix, suffix: "")
        case .statement:
            found = Self.keywords(SQLKeywords.starters, prefix)
            if prefix.isEmpty { return found }
        case .relation(let within): found = await relationNames(context, within)
        case .member(let parents):
            found = await columnNames(context, of: parents)
            if found.isEmpty { found = await relationNames(context, parents) }
        case .expression:
            found = prefix.isEmpty && context.relations.isEmpty ? [] : await allColumnNames(context)
            if !context.isQuoted, !prefix.isEmpty {
                found += Self.keywords(SQLKeywords.list, prefix)
                found += Self.matching(await loadFunctions(), prefix, suffix: "(").map {
                    Completion($0.text + "(", suffix: "", label: $0.text + "()")
                }
            }
            if found.isEmpty { found = await relationNames(context, []) }
        }
        var seen: Set<String> = []
        return Array(found.filter { seen.insert($0.text).inserted }.prefix(Self.candidateCountMax))
    }

    // MARK: - Names in statements

    private func relationNames(_ context: CompletionContext, _ within: [String]) async -> [Completion] {
        let all = await loadRelations()
        guard let schema = within.last else {
            let isSystem: (String) -> Bool = { $0 == "pg_catalog" || $0 == "information_schema" }
            var names = all.filter { $0.isVisible && (!isSystem($0.schema) || context.prefix.hasPrefix("pg_")) }.map(
                \.name)
            names = Self.quotedMatches(names, context, suffix: " ").map(\.text)
            let schemas = Self.quotedMatches(Set(all.map(\.schema)).sorted(), context, suffix: ".")
            return names.map { Completion($0, suffix: " ") }
                + schemas.map { Completion($0.text + ".", suffix: "", label: $0.text + ".") }
        }
        return Self.quotedMatches(all.filter { $0.schema == schema }.map(\.name), context, suffix: " ")
    }

    private func columnNames(_ context: CompletionContext, of parents: [String]) async -> [Completion] {
        guard let parent = parents.last else { return [] }
        let relation = context.relations.first { relation in
            relation.alias == parent || (relation.alias == nil && relation.name.suffix(parents.count) == parents[...])
        }
        guard let relation else { return [] }
        return Self.quotedMatches(await loadColumns(relation.name), context, suffix: "")
    }

    private func allColumnNames(_ context: CompletionContext) async -> [Completion] {
        var names: [String] = []
        for relation in context.relations.prefix(16) { names += await loadColumns(relation.name) }
        var found = Self.quotedMatches(names, context, suffix: "")
        let aliases = context.relations.compactMap { $0.alias ?? $0.name.last }
        found += Self.quotedMatches(aliases, context, suffix: "").map {
            Completion($0.text + ".", label: $0.text + ".")
        }
        return found
    }

    private static func matching(_ names: [String], _ prefix: String, suffix: String) -> [Completion] {
        let lower = prefix.lowercased()
        return names.filter { $0.lowercased().hasPrefix(lower) }.map { Completion($0, suffix: suffix) }
    }

    /// Keywords in the case in which the word is typed.
    private static func keywords(_ words: [String], _ prefix: String) -> [Completion] {
        let upper = prefix.uppercased()
        let isLower = prefix != upper && prefix == prefix.lowercased()
        return words.filter { $0.hasPrefix(upper) }.map { Completion(isLower ? $0.lowercased() : $0, suffix: " ") }
    }

    /// Names that begin like the word, quoted if they have to be or if the word is.
    private static func quotedMatches(
        _ names: [String], _ context: CompletionContext, suffix: String
    ) -> [Completion] {
        let prefix = context.isQuoted ? context.prefix : context.prefix.lowercased()
        return names.filter { ($0.hasPrefix(prefix) || $0.lowercased().hasPrefix(prefix)) && !$0.isEmpty }.map { name in
            Completion(context.isQuoted || !isPlainName(name) ? quoted(name) : name, suffix: suffix)
        }
    }

    static func quoted(_ name: String) -> String {
        "\"" + name.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
    }

    private static func isPlainName(_ name: String) -> Bool {
        guard let first = name.utf8.first, first == UInt8(ascii: "_") || (0x61...0x7A).contains(first) else {
            return false
        }
        return name.utf8.allSatisfy { byte in
            byte == UInt8(ascii: "_") || (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte)
        } && !SQLKeywords.all.contains(name.uppercased())
    }

    // MARK: - Paths

    private static func paths(_ prefix: String, _ closing: String) -> [Completion] {
        let slash = prefix.lastIndex(of: "/")
        let directory = slash.map { String(prefix[...$0]) } ?? ""
        let start = slash.map { String(prefix[prefix.index(after: $0)...]) } ?? prefix
        var opened = directory.isEmpty ? "." : directory
        if directory.hasPrefix("~/"), let home = getenv("HOME") {
            opened = String(cString: home) + directory.dropFirst()
        }
        guard let stream = opendir(opened) else { return [] }
        defer { closedir(stream) }
        var found: [Completion] = []
        while let entry = readdir(stream), found.count < candidateCountMax {
            // In place: an entry ends with its name, and a copy of the whole field would read beyond it.
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard name.hasPrefix(start), name != ".", name != "..", start.hasPrefix(".") || !name.hasPrefix(".") else {
                continue
            }
            var status = stat()
            let isDirectory = stat(opened + "/" + name, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
            let text = directory + name + (isDirectory ? "/" : "")
            found.append(Completion(text, suffix: isDirectory ? "" : closing, label: name + (isDirectory ? "/" : "")))
        }
        return found.sorted { $0.text < $1.text }
    }

    // MARK: - Asking

    private func loadRelations() async -> [Relation] {
        if let relations { return relations }
        let rows = await ask(
            """
            SELECT n.nspname, c.relname, pg_catalog.pg_table_is_visible(c.oid) FROM pg_catalog.pg_class c
            JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE c.relkind IN ('r', 'v', 'm', 'f', 'p') ORDER BY 2, 1
            """)
        let loaded = rows.map { Relation(schema: $0[0], name: $0[1], isVisible: $0[2] == "t") }
        if !loaded.isEmpty { relations = loaded }
        return loaded
    }

    private func loadFunctions() async -> [String] {
        if let functions { return functions }
        let rows = await ask("SELECT DISTINCT proname FROM pg_catalog.pg_proc ORDER BY 1")
        let names = rows.map { $0[0] }.filter(Self.isPlainName)
        functions = names
        return names
    }

    private func loadSettings() async -> [String] {
        if let settings { return settings }
        let names = await ask("SELECT name FROM pg_catalog.pg_settings ORDER BY 1").map { $0[0] }
        settings = names
        return names
    }

    private func loadColumns(_ relation: [String]) async -> [String] {
        if let known = columns[relation] { return known }
        guard let name = relation.last else { return [] }
        var condition = "c.relname = \(Shell.literal(name))"
        if relation.count > 1 {
            condition += " AND n.nspname = \(Shell.literal(relation[relation.count - 2]))"
        } else {
            condition += " AND pg_catalog.pg_table_is_visible(c.oid)"
        }
        let rows = await ask(
            """
            SELECT a.attname FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
            JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE \(condition) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
            """)
        let names = rows.map { $0[0] }
        columns[relation] = names
        return names
    }

    /// Texts of the rows of a query; none if it fails.
    private func ask(_ sql: String) async -> [[String]] {
        // A failed question would end an open transaction: then another session asks.
        guard connection.transactionStatus == .idle else {
            guard let observer = try? await connection.observer() else { return [] }
            return (try? await observer.texts(sql)) ?? []
        }
        return (try? await connection.texts(sql)) ?? []
    }
}
