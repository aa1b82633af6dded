// What goes on: queries, workers, plans with their times, what a query used, a statement again and again.

import Diagnostics

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

extension Shell {
    /// Runs a command of this family; `nil` if it is none.
    func work(_ command: MetaCommand, statement: String) async -> Bool? {
        switch command.name {
        case "queries": return await listQueries(includesEnded: command.arguments.first == "all")
        case "workers":
            guard connection.isMartlet else {
                return reportAndFail(.featureNotSupported, "\\workers: this server has none")
            }
            return await show("SELECT * FROM system.workers ORDER BY 1")
        case "cancel": return await cancelQuery(command.arguments.first)
        case "plan": return await showPlan(command.rest, statement)
        case "watch": return await watch(command.arguments, statement)
        default: return nil
        }
    }

    private func listQueries(includesEnded: Bool) async -> Bool {
        guard connection.isMartlet else {
            let condition = includesEnded ? "" : "WHERE state = 'active'"
            return await show(
                """
                SELECT pid, state, usename AS user, query_start AS started, query FROM pg_catalog.pg_stat_activity
                \(condition) ORDER BY query_start
                """)
        }
        let condition = includesEnded ? "true" : "state IN ('queued', 'running')"
        return await show(
            """
            SELECT query_id, state, user_name AS user, coalesce(duration, statement_timestamp() - started_at) AS time,
                row_count AS rows, error_code AS error, left(regexp_replace(query, '\\s+', ' ', 'g'), 120) AS query
            FROM system.queries WHERE \(condition) AND (duration IS NOT NULL OR session_id <> pg_catalog.pg_backend_pid())
            ORDER BY started_at DESC LIMIT 100
            """)
    }

    private func cancelQuery(_ start: String?) async -> Bool {
        guard let start else {
            return reportAndFail(.syntaxError, "\\cancel: the beginning of a query's id is missing")
        }
        do {
            guard connection.isMartlet else {
                return await show("SELECT pg_catalog.pg_cancel_backend(\(Shell.literal(start))::int) AS cancelled")
            }
            let found = try await connection.texts(
                """
                SELECT query_id FROM system.queries WHERE state IN ('queued', 'running')
                AND starts_with(query_id, \(Shell.literal(start.lowercased()))) AND session_id <> pg_catalog.pg_backend_pid()
                """)
            guard found.count == 1 else {
                let count = found.isEmpty ? "no query" : "more than one query"
                return reportAndFail(.undefinedObject, "\(count) that runs has an id that begins with \"\(start)\"")
            }
            let answer = try await connection.texts("SELECT cancel_query(\(Shell.literal(found[0][0])))")
            tell(answer.first?.first == "t" ? "The query was told to stop." : "The query has ended by itself.")
            return true
        } catch {
            report(QueryError.wrapping(error))
            return false
        }
    }

    // MARK: - Plans

    /// The plan of a statement with what every operator did.
    private func showPlan(_ text: String, _ statement: String) async -> Bool {
        var sql = text.isEmpty ? statement : text
        while sql.last == ";" || sql.last?.isWhitespace == true { sql.removeLast() }
        guard !sql.isEmpty else { return reportAndFail(.syntaxError, "\\plan: there is no statement") }
        do {
            let lines = try await connection.texts("EXPLAIN (ANALYZE) \(variables.interpolated(sql))")
            for line in lines { output.write((line.first ?? "") + "\n") }
            output.write("\n")
            try output.flush()
            return true
        } catch {
            report(QueryError.wrapping(error), sql: nil)
            return false
        }
    }

    // MARK: - Again and again

    private func watch(_ arguments: [String], _ statement: String) async -> Bool {
        guard !statement.isEmpty else { return reportAndFail(.syntaxError, "\\watch: there is no statement") }
        guard let seconds = Double(arguments.first ?? "2"), seconds >= 0.1, seconds <= 86_400 else {
            return reportAndFail(.invalidParameterValue, "\\watch: \"\(arguments[0])\" is no number of seconds")
        }
        var left = arguments.count > 1 ? Int(arguments[1]) ?? 1 : Int.max
        interruption.clear()
        while left > 0, !interruption.isNoted {
            left -= 1
            if format.isForPeople, output.isTerminal || isInteractive {
                output.write("\(ShellText.localTime())  (every \(arguments.first ?? "2") s)\n\n")
            }
            guard await execute(statement) else { return interruption.isNoted }
            var waited = 0.0
            while left > 0, waited < seconds, !interruption.isNoted {
                let piece = min(0.1, seconds - waited)
                try? await Task.sleep(for: .milliseconds(Int(piece * 1000)))
                waited += 0.1
            }
        }
        return true
    }

    // MARK: - Statistics

    /// What the last query of this session used.
    func reportStatistics() async {
        guard connection.isMartlet, let observer = try? await connection.observer(),
            let query = try? await observer.texts(
                """
                SELECT query_id, attempt_count, extract(epoch FROM duration) * 1000000,
                    extract(epoch FROM processor_time) * 1000000, bytes_read, memory_bytes, spilled_bytes
                FROM system.queries WHERE session_id = \(connection.sessionNumber) AND duration IS NOT NULL
                ORDER BY started_at DESC LIMIT 1
                """
            ).first
        else { return }
        func time(_ text: String) -> String {
            ShellText.milliseconds(microseconds: Int64(Double(text) ?? 0)) + " ms"
        }
        func bytes(_ text: String) -> String { ShellText.bytes(Int64(text) ?? 0) }
        var lines = [
            "Ran \(time(query[2])), processors \(time(query[3])), read \(bytes(query[4])), memory \(bytes(query[5])), "
                + "spilled \(bytes(query[6]))" + (query[1] == "1" ? "" : ", \(query[1]) attempts")
        ]
        let stages = try? await observer.texts(
            """
            SELECT stage, count(*), extract(epoch FROM sum(processor_time)) * 1000000, sum(bytes_read),
                sum(memory_bytes), sum(spilled_bytes)
            FROM system.operators WHERE query_id = \(Shell.literal(query[0])) GROUP BY stage ORDER BY stage
            """)
        for stage in stages ?? [] {
            lines.append(
                "  stage \(stage[0]): \(stage[1]) operators, processors \(time(stage[2])), read \(bytes(stage[3])), "
                    + "memory \(bytes(stage[4])), spilled \(bytes(stage[5]))")
        }
        let target = isInteractive ? standardOutput : errors
        target.write(lines.joined(separator: "\n") + "\n")
        try? target.flush()
    }
}

extension ShellText {
    /// The clock of this place, to the second.
    static func localTime() -> String {
        var now = time(nil)
        var parts = tm()
        localtime_r(&now, &parts)
        var buffer = [UInt8](repeating: 0, count: 64)
        let count = buffer.withUnsafeMutableBufferPointer { pointer in
            pointer.withMemoryRebound(to: CChar.self) {
                strftime($0.baseAddress, $0.count, "%Y-%m-%d %H:%M:%S", &parts)
            }
        }
        return String(decoding: buffer[..<count], as: UTF8.self)
    }
}
