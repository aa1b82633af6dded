// The layout of stores that speak SQL, step by step. Steps only lead forward and are never changed once a version has left
// the house: a store says which step it is at, and the later ones are done in their order.

import Diagnostics

package enum StateLayout {
    /// The statements of each step, in SQL that SQLite and PostgreSQL read alike. `$` stands before names of tables.
    package static let steps: [[String]] = [
        [
            "CREATE TABLE $entries (kind text NOT NULL, name text NOT NULL, value text NOT NULL, PRIMARY KEY (kind, name))",
            """
            CREATE TABLE $queries (id text NOT NULL PRIMARY KEY, sql text NOT NULL, user_name text NOT NULL,
                state text NOT NULL, started_at bigint NOT NULL, duration bigint NOT NULL, row_count bigint NOT NULL,
                error_code text, error_message text, attempt_count bigint NOT NULL, session bigint NOT NULL)
            """,
            "CREATE INDEX queries_by_start ON $queries (started_at, id)",
        ],
        [
            "ALTER TABLE $queries ADD COLUMN processor_nanoseconds bigint NOT NULL DEFAULT 0",
            "ALTER TABLE $queries ADD COLUMN memory_bytes_peak bigint NOT NULL DEFAULT 0",
            "ALTER TABLE $queries ADD COLUMN spilled_bytes bigint NOT NULL DEFAULT 0",
            "ALTER TABLE $queries ADD COLUMN bytes_read bigint NOT NULL DEFAULT 0",
            "ALTER TABLE $queries ADD COLUMN plan text", "ALTER TABLE $queries ADD COLUMN profile text",
        ],
        [
            "CREATE TABLE $revision (number bigint NOT NULL)", "INSERT INTO $revision (number) VALUES (1)",
        ],
    ]

    /// The steps that are to be done for a store at a version. Throws for a later one than is known.
    package static func steps(after version: Int, place: String) throws -> ArraySlice<[String]> {
        guard version >= 0, version <= steps.count else {
            throw QueryError(
                .versionMismatch, "the state store \(place) has layout \(version), this program knows \(steps.count)",
                hint: "Run the program that wrote it, or a later one.")
        }
        return steps[version...]
    }

    /// Columns of a query, in the order of `values(of:)`.
    package static let queryColumns = [
        "id", "sql", "user_name", "state", "started_at", "duration", "row_count", "error_code", "error_message",
        "attempt_count", "session", "processor_nanoseconds", "memory_bytes_peak", "spilled_bytes", "bytes_read", "plan",
        "profile",
    ]

    /// A statement and its parameters as text.
    package struct Step: Hashable, Sendable {
        package var text: String
        package var parameters: [String?]
    }

    package static let revisionText = "SELECT number FROM $revision"
    /// Has no row if the store is at another revision; otherwise nobody else changes entries until the transaction ends.
    package static let revisionLockText =
        "UPDATE $revision SET number = number + 1 WHERE number = CAST(?1 AS bigint) RETURNING number"
    private static let revisionStep = Step(text: "UPDATE $revision SET number = number + 1", parameters: [])

    /// The statements of a change. Parameters are written `?1`, `?2`, …
    package static func statements(for change: StateChange) -> [Step] {
        switch change {
        case .put(let entry):
            return [
                Step(
                    text: "INSERT INTO $entries (kind, name, value) VALUES (?1, ?2, ?3) "
                        + "ON CONFLICT (kind, name) DO UPDATE SET value = excluded.value",
                    parameters: [entry.kind.rawValue, entry.name, entry.value]), revisionStep,
            ]
        case .remove(let kind, let name):
            return [
                Step(text: "DELETE FROM $entries WHERE kind = ?1 AND name = ?2", parameters: [kind.rawValue, name]),
                revisionStep,
            ]
        case .query(let query):
            let places = queryColumns.indices.map { place in
                isNumber(place) ? "CAST(?\(place + 1) AS bigint)" : "?\(place + 1)"
            }
            return [
                Step(
                    text: "INSERT INTO $queries (\(queryColumns.joined(separator: ", "))) "
                        + "VALUES (\(places.joined(separator: ", "))) ON CONFLICT (id) DO NOTHING",
                    parameters: values(of: query))
            ]
        case .trimHistory(let count):
            return [
                Step(
                    text: "DELETE FROM $queries WHERE id NOT IN (SELECT id FROM $queries "
                        + "ORDER BY started_at DESC, id DESC LIMIT CAST(?1 AS bigint))", parameters: ["\(count)"])
            ]
        }
    }

    private static func isNumber(_ column: Int) -> Bool { (4...6).contains(column) || (9...14).contains(column) }

    private static func values(of query: QueryHistoryEntry) -> [String?] {
        [
            query.id, query.sql, query.user, query.state, "\(query.startedAt)", "\(query.durationMicroseconds)",
            "\(query.rowCount)", query.errorCode, query.errorMessage, "\(query.attemptCount)", "\(query.session)",
            "\(query.processorNanoseconds)", "\(query.memoryBytesPeak)", "\(query.spilledBytes)", "\(query.bytesRead)",
            query.plan, query.profile,
        ].map { $0.map(withoutZeros) }
    }

    /// Neither store keeps a byte 0 in text.
    private static func withoutZeros(_ text: String) -> String {
        text.utf8.contains(0) ? String(text.unicodeScalars.map { $0.value == 0 ? "\u{FFFD}" : Character($0) }) : text
    }

    package static let historyText =
        "SELECT \(queryColumns.joined(separator: ", ")) FROM $queries ORDER BY started_at DESC, id DESC "
        + "LIMIT CAST(?1 AS bigint)"
    package static let entriesText = "SELECT name, value FROM $entries WHERE kind = ?1 ORDER BY name"

    /// A query from its columns as text; `nil` for rows that are none.
    package static func query(_ row: [String?]) -> QueryHistoryEntry? {
        func number(_ place: Int) -> Int64 { row[place].flatMap { Int64($0) } ?? 0 }
        guard row.count == queryColumns.count, let id = row[0], let sql = row[1], let user = row[2], let state = row[3]
        else { return nil }
        return QueryHistoryEntry(
            id: id, sql: sql, user: user, state: state, startedAt: number(4), durationMicroseconds: number(5),
            rowCount: number(6), errorCode: row[7], errorMessage: row[8], attemptCount: number(9), session: number(10),
            processorNanoseconds: number(11), memoryBytesPeak: number(12), spilledBytes: number(13),
            bytesRead: number(14), plan: row[15], profile: row[16])
    }
}
