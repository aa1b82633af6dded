// The rules of stores of state, for every kind of them.

import Diagnostics
import StateStore

package struct StateStoreFailure: Error, CustomStringConvertible {
    package let description: String
}

package enum StateStoreConformance {
    private static func require(_ condition: Bool, _ rule: String) throws {
        if !condition { throw StateStoreFailure(description: rule) }
    }

    private static func query(_ number: Int, sql: String = "SELECT 1") -> QueryHistoryEntry {
        QueryHistoryEntry(
            id: "query-\(number)", sql: sql, user: "someone", state: number % 2 == 0 ? "finished" : "failed",
            startedAt: 1_000_000 + Int64(number), durationMicroseconds: Int64(number), rowCount: .max,
            errorCode: number % 2 == 0 ? nil : "22012", errorMessage: number % 2 == 0 ? nil : "division by zero",
            attemptCount: 2, session: 7, processorNanoseconds: 5, memoryBytesPeak: 6, spilledBytes: 7, bytesRead: 8,
            plan: number % 3 == 0 ? nil : "Scan\n  of 'something' \"quoted\" ?1 $1", profile: "[{\"node\": 0}]")
    }

    private static func checkRevisions(_ store: any StateStore) async throws {
        let first = try await store.revision()
        try await store.apply([.put(StateEntry(.catalog, "r", "1"))])
        let second = try await store.revision()
        try require(second > first, "a change of entries leaves the revision")
        try await store.apply([.query(query(0)), .trimHistory(keeping: 0)])
        try require(try await store.revision() == second, "a query changes the revision")
        try require(
            try await store.apply([.put(StateEntry(.catalog, "r", "2"))], at: first) == nil,
            "a change of an older revision is taken")
        try require(try await store.entries(.catalog).map(\.value) == ["1"], "a change that was not taken is there")
        let third = try await store.apply(
            [.put(StateEntry(.catalog, "r", "3")), .put(StateEntry(.catalog, "s", "4"))], at: second)
        try require(try await store.revision() == third && third ?? 0 > second, "the revision is not the new one")
        let entries = try await store.entries(.catalog)
        try require(entries.map(\.value) == ["3", "4"], "a change at a revision is lost")
        _ = try await store.apply([.remove(.catalog, name: "r"), .remove(.catalog, name: "s")], at: third ?? 0)
        try require(try await store.entries(.catalog).isEmpty, "an entry is not removed")
        // Of those who know the same revision one is first.
        let last = try await store.revision()
        let taken = try await withThrowingTaskGroup(of: Bool.self) { group in
            for number in 0..<8 {
                group.addTask {
                    try await store.apply([.put(StateEntry(.catalog, "x", "\(number)"))], at: last) != nil
                }
            }
            return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
        try require(taken == 1, "\(taken) changes of the same revision are taken")
        try await store.apply([.remove(.catalog, name: "x")])
    }

    /// `make` opens the same empty store, each time as another process would.
    package static func check(_ make: () throws -> any StateStore) async throws {
        let store = try make()
        try await store.open()
        // Opening again finds what is there.
        try await store.open()
        try require(try await store.history(limit: 10).isEmpty, "a new store has queries")
        for kind in StateEntry.Kind.allCases {
            try require(try await store.entries(kind).isEmpty, "a new store has entries")
        }

        let texts = [
            "", "it's", "\"quoted\"", "Zürich 東京 🙂", "line\nbreak\t", "?1 $1 %s \\",
            String(repeating: "x", count: 100_000),
        ]
        var wanted: [StateEntry] = texts.enumerated().map { StateEntry(.view, "name \($0)", $1) }
        try await store.apply(wanted.map { .put($0) } + [.put(StateEntry(.user, "name 0", "verifier"))])
        try require(try await store.entries(.view) == wanted, "entries change")
        try require(try await store.entries(.user) == [StateEntry(.user, "name 0", "verifier")], "kinds are mixed up")
        wanted[1].value = "another"
        try await store.apply([.put(wanted[1]), .remove(.view, name: "name 0"), .remove(.view, name: "nobody")])
        wanted.removeFirst()
        try require(try await store.entries(.view) == wanted, "an entry is not replaced or not removed")
        // The last change of a batch wins.
        try await store.apply([
            .put(StateEntry(.setting, "s", "1")), .remove(.setting, name: "s"), .put(StateEntry(.setting, "s", "2")),
        ])
        try require(try await store.entries(.setting).map(\.value) == ["2"], "changes are applied in another order")

        try await checkRevisions(store)
        let queries = (0..<50).map { query($0, sql: texts[$0 % texts.count]) }
        try await store.apply(queries.map { .query($0) })
        // Told twice, as after a lost answer.
        try await store.apply(queries.suffix(10).map { .query($0) })
        try require(try await store.history(limit: 100) == queries.reversed(), "queries change")
        try require(
            try await store.history(limit: 5) == Array(queries.reversed().prefix(5)),
            "a limit gives others than the last")
        try await store.apply([.trimHistory(keeping: 20)])
        try require(
            try await store.history(limit: 100) == Array(queries.reversed().prefix(20)), "others than the last are kept"
        )
        var zero = query(100, sql: "a\u{0}b")
        try await store.apply([.query(zero)])
        zero.sql = "a\u{FFFD}b"
        try require(try await store.history(limit: 1) == [zero], "a text with a byte 0")
        store.close()

        // Another process finds it all.
        let again = try make()
        try await again.open()
        try require(try await again.history(limit: 100).count == 21, "queries are lost")
        try require(try await again.entries(.view) == wanted, "entries are lost")
        let other = try make()
        try await other.open()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<20 {
                let store = number % 2 == 0 ? again : other
                group.addTask { try await store.apply([.put(StateEntry(.catalog, "c \(number)", "v"))]) }
            }
            try await group.waitForAll()
        }
        try require(try await again.entries(.catalog).count == 20, "changes of two processes at the same time are lost")
        again.close()
        other.close()
    }
}
