// The shell at a terminal: line editing, history, completion, interruption.

import CEdit
import Diagnostics
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

extension Shell {
    /// Reads statements until the end of input or `\q`.
    package func runInteractive() async {
        say("\(connection.summary)\nType \\? for help, \\q to quit.")
        let editor = LineEditor(historyPath: historyPath)
        await refreshCompletions()
        let watcher = InterruptWatcher { [connection] in connection.cancel() }
        defer { watcher.stop() }
        var splitter = StatementSplitter()
        while !isAtEnd {
            switch await editor.read(prompt: "martlet\(splitter.promptMark)> ") {
            case .end:
                say("")
                return
            case .interrupted: splitter.discard()
            case .line(let line):
                InterruptWatcher.isRunning.store(true, ordering: .sequentiallyConsistent)
                _ = await take(line: line + "\n", &splitter)
                InterruptWatcher.isRunning.store(false, ordering: .sequentiallyConsistent)
                if Shell.changesNames(line) { await refreshCompletions() }
            }
        }
    }

    private static func changesNames(_ line: String) -> Bool {
        let upper = line.uppercased()
        return ["CREATE", "DROP", "ALTER", "\\I"].contains { upper.contains($0) }
    }

    /// Completes keywords and the names of tables.
    private func refreshCompletions() async {
        var names: [String] = []
        try? await connection.run("SHOW TABLES") { event in
            guard case .rows(let rows) = event else { return }
            for row in 0..<rows.rowCount {
                var text: [UInt8] = []
                rows.append(row, 2, into: &text)
                names.append(String(decoding: text, as: UTF8.self))
            }
        }
        Completions.shared.setNames(names)
    }
}

/// Reads lines with libedit on a thread of its own, so that no thread of the engine waits for a person.
final class LineEditor: Sendable {
    enum Input: Sendable { case line(String), interrupted, end }
    private static let historyLimit: Int32 = 2000
    private let historyPath: String?

    init(historyPath: String?) {
        self.historyPath = historyPath
        edit_start({ text, state in Completions.shared.next(text, isFirst: state == 0) }, LineEditor.historyLimit)
        if let historyPath {
            LineEditor.makeDirectory(for: historyPath)
            read_history(historyPath)
        }
    }

    private static func makeDirectory(for path: String) {
        var at = path.startIndex
        while let slash = path[path.index(after: at)...].firstIndex(of: "/") {
            mkdir(String(path[..<slash]), 0o700)
            at = slash
        }
    }

    func read(prompt: String) async -> Input {
        await withCheckedContinuation { continuation in
            let work = Work { continuation.resume(returning: self.readNow(prompt)) }
            var thread = pthread_t()
            let status = pthread_create(
                &thread, nil,
                { argument in
                    #if canImport(Glibc)
                        guard let argument else { return nil }
                    #endif
                    Unmanaged<Work>.fromOpaque(argument).takeRetainedValue().body()
                    return nil
                }, Unmanaged.passRetained(work).toOpaque())
            if status == 0 { pthread_detach(thread) } else { continuation.resume(returning: .end) }
        }
    }

    private func readNow(_ prompt: String) -> Input {
        InterruptWatcher.wasInterrupted.store(false, ordering: .sequentiallyConsistent)
        InterruptWatcher.reader.store(UInt(pthread_self()), ordering: .sequentiallyConsistent)
        let answer = readline(prompt)
        InterruptWatcher.reader.store(0, ordering: .sequentiallyConsistent)
        guard let pointer = answer else {
            if InterruptWatcher.wasInterrupted.exchange(false, ordering: .sequentiallyConsistent) {
                _ = write(1, "\n", 1)
                return .interrupted
            }
            return .end
        }
        defer { free(pointer) }
        let line = String(cString: pointer)
        if InterruptWatcher.wasInterrupted.exchange(false, ordering: .sequentiallyConsistent) { return .interrupted }
        if line.contains(where: { !$0.isWhitespace }) {
            add_history(line)
            if let historyPath { write_history(historyPath) }
        }
        return .line(line)
    }

    /// What a thread runs.
    private final class Work: Sendable {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
}

/// Turns Ctrl-C into a call, from a thread and not from the signal's handler.
final class InterruptWatcher: Sendable {
    /// Whether a statement runs; else the interruption is for the line editor.
    static let isRunning = Atomic(false)
    static let wasInterrupted = Atomic(false)
    /// The thread inside the line editor, 0 if there is none.
    static let reader = Atomic<UInt>(0)
    private static let pipeEnd = Atomic<Int32>(-1)

    private let writeEnd: Int32

    init(onInterrupt: @escaping @Sendable () -> Void) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else {
            writeEnd = -1
            return
        }
        writeEnd = ends[1]
        InterruptWatcher.pipeEnd.store(ends[1], ordering: .sequentiallyConsistent)
        InterruptWatcher.installHandler()
        let readEnd = ends[0]
        let loop = Loop {
            var byte: UInt8 = 0
            while read(readEnd, &byte, 1) == 1, byte == 1 {
                if InterruptWatcher.isRunning.load(ordering: .sequentiallyConsistent) { onInterrupt() }
            }
            close(readEnd)
        }
        var thread = pthread_t()
        let status = pthread_create(
            &thread, nil,
            { argument in
                #if canImport(Glibc)
                    guard let argument else { return nil }
                #endif
                Unmanaged<Loop>.fromOpaque(argument).takeRetainedValue().body()
                return nil
            }, Unmanaged.passRetained(loop).toOpaque())
        if status == 0 { pthread_detach(thread) }
    }

    /// Without SA_RESTART: the line editor's read is to end. The signal is passed on to the thread that reads.
    private static func installHandler() {
        var action = sigaction()
        let handler: @convention(c) (Int32) -> Void = { number in
            let reader = InterruptWatcher.reader.load(ordering: .sequentiallyConsistent)
            if reader != 0, reader != UInt(pthread_self()) {
                pthread_kill(pthread_t(reader), number)
                return
            }
            InterruptWatcher.wasInterrupted.store(true, ordering: .sequentiallyConsistent)
            var byte: UInt8 = 1
            _ = write(InterruptWatcher.pipeEnd.load(ordering: .sequentiallyConsistent), &byte, 1)
        }
        #if canImport(Glibc)
            action.__sigaction_handler.sa_handler = handler
        #else
            action.__sigaction_u.__sa_handler = handler
        #endif
        action.sa_flags = 0
        sigaction(SIGINT, &action, nil)
    }

    func stop() {
        signal(SIGINT, SIG_DFL)
        guard writeEnd >= 0 else { return }
        var byte: UInt8 = 0
        _ = write(writeEnd, &byte, 1)
        InterruptWatcher.pipeEnd.store(-1, ordering: .sequentiallyConsistent)
    }

    private final class Loop: Sendable {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
}

/// What words can be completed to. Called by libedit on the thread that reads.
final class Completions: Sendable {
    static let shared = Completions()
    private static let keywords = [
        "ALL", "ANALYZE", "AND", "AS", "ASC", "BETWEEN", "BY", "CASE", "CAST", "COPY", "CREATE", "CROSS", "DATE",
        "DELETE",
        "DESC", "DESCRIBE", "DISTINCT", "DROP", "ELSE", "END", "EXCEPT", "EXISTS", "EXPLAIN", "EXTRACT", "FETCH",
        "FILTER",
        "FROM", "FULL", "GROUP", "HAVING", "ILIKE", "IN", "INNER", "INSERT", "INTERSECT", "INTERVAL", "INTO", "IS",
        "JOIN",
        "LATERAL", "LEFT", "LIKE", "LIMIT", "NOT", "NULL", "OFFSET", "ON", "OR", "ORDER", "OUTER", "OVER", "PARTITION",
        "PREPARE", "RIGHT", "ROLLUP", "SELECT", "SET", "SHOW", "TABLE", "TABLES", "THEN", "UNION", "USING", "VALUES",
        "VIEW",
        "WHEN", "WHERE", "WINDOW", "WITH",
    ]
    private let state = Mutex<(names: [String], matches: [String])>(([], []))

    func setNames(_ names: [String]) { state.withLock { $0.names = names } }

    /// The next completion of a word, allocated for the caller, or nothing after the last.
    func next(_ text: UnsafePointer<CChar>?, isFirst: Bool) -> UnsafeMutablePointer<CChar>? {
        guard let text else { return nil }
        let word = String(cString: text)
        let match = state.withLock { state -> String? in
            if isFirst {
                let lower = word.lowercased()
                let isLower = word == lower && !word.isEmpty
                let keywords = Completions.keywords.filter { $0.lowercased().hasPrefix(lower) }
                state.matches =
                    state.names.filter { $0.lowercased().hasPrefix(lower) }
                    + keywords.map { isLower ? $0.lowercased() : $0 }
            }
            return state.matches.isEmpty ? nil : state.matches.removeFirst()
        }
        return match.flatMap { strdup($0) }
    }
}
