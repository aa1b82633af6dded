// Cursors over more rows than memory has room for, over several workers, and their command tags.

import Columnar
import Coordination
import Diagnostics
import EmbeddedCluster
import EngineTestSupport
import Foundation
import Testing

@Suite struct CursorTests {
    private static func tags(_ session: Session, _ sql: String) async throws -> [String] {
        var tags: [String] = []
        try await session.run(sql) { result in
            _ = try await result.collect()
            tags.append(result.tag)
        }
        return tags
    }

    @Test func rowsThatDoNotFitIntoMemoryComeAgain() async throws {
        let engine = try await TestEngine.start(
            workers: 2, spillDirectory: NSTemporaryDirectory(), holdBackByteLimit: 0)
        let connection = engine.makeConnection()
        _ = try await connection.run(
            "BEGIN; DECLARE c SCROLL CURSOR FOR SELECT g, repeat(g::text, 40) FROM generate_series(1, 30000) AS s(g) ORDER BY g"
        )
        #expect(try await connection.run("FETCH LAST FROM c").first?.first == "30000")
        #expect(try await connection.run("FETCH ABSOLUTE 2 FROM c") == [["2", String(repeating: "2", count: 40)]])
        let all = try await connection.run("FETCH ALL FROM c")
        #expect(all.map { $0[0] } == (3...30000).map { "\($0)" })
        let back = try await connection.run("FETCH BACKWARD ALL FROM c")
        #expect(back.map { $0[0] } == (1...30000).reversed().map { "\($0)" })
        #expect(back.allSatisfy { $0[1] == String(repeating: $0[0] ?? "", count: 40) })
        _ = try await connection.run("ROLLBACK")
        await engine.shutdown()
    }

    @Test func unsaidScrollingEndsWithManyRows() async throws {
        let engine = try await TestEngine.start()
        let connection = engine.makeConnection()
        _ = try await connection.run(
            "BEGIN; DECLARE c CURSOR FOR SELECT g, repeat(g::text, 30) FROM generate_series(1, 60000) AS s(g)")
        _ = try await connection.run("FETCH 100 FROM c")
        #expect(try await connection.run("FETCH PRIOR FROM c").first?.first == "99")
        _ = try await connection.run("MOVE 55000 FROM c")
        #expect(try await connection.run("FETCH NEXT FROM c").first?.first == "55100")
        await #expect(throws: QueryError.self) { try await connection.run("FETCH PRIOR FROM c") }
        await engine.shutdown()
    }

    @Test func tagsCountRows() async throws {
        let engine = try await TestEngine.start()
        let session = engine.node.engine.makeSession()
        let begin = "BEGIN; DECLARE c SCROLL CURSOR FOR SELECT g FROM generate_series(1, 5) AS s(g)"
        #expect(try await Self.tags(session, begin) == ["BEGIN", "DECLARE CURSOR"])
        let moves =
            "MOVE 0 FROM c; MOVE 2 FROM c; MOVE 0 FROM c; MOVE ALL FROM c; MOVE 1 FROM c; MOVE BACKWARD ALL FROM c"
        #expect(try await Self.tags(session, moves) == ["MOVE 0", "MOVE 2", "MOVE 1", "MOVE 3", "MOVE 0", "MOVE 5"])
        let ends =
            "MOVE ABSOLUTE 4 FROM c; MOVE ABSOLUTE 9 FROM c; MOVE FIRST FROM c; FETCH 2 FROM c; FETCH PRIOR FROM c; CLOSE c"
        #expect(
            try await Self.tags(session, ends)
                == ["MOVE 1", "MOVE 0", "MOVE 1", "FETCH 2", "FETCH 1", "CLOSE CURSOR"])
        // Statements sent together are a block.
        let together = "DECLARE c CURSOR FOR SELECT 1; FETCH ALL FROM c"
        #expect(try await Self.tags(session, "COMMIT").last == "COMMIT")
        #expect(try await Self.tags(session, together) == ["DECLARE CURSOR", "FETCH 1"])
        await #expect(throws: QueryError.self) { try await Self.tags(session, "FETCH ALL FROM c") }
        session.close()
        await engine.shutdown()
    }

    @Test func portalsOfTheProtocolAreCursors() async throws {
        let engine = try await TestEngine.start()
        let session = engine.node.engine.makeSession()
        _ = try await Self.tags(session, "BEGIN")
        let statement = try await session.prepare("SELECT g FROM generate_series(1, $1::int) AS s(g)")
        let portal = try session.openPortal("p", statement, [.integer(9)])
        #expect(throws: QueryError.self) { try session.openPortal("p", statement, [.integer(1)]) }
        // The query starts with whoever asks for rows first.
        #expect(portal.result == nil)
        #expect(try await Self.tags(session, "MOVE FORWARD 3 FROM p") == ["MOVE 3"])
        let batch = try #require(try await portal.forward(2))
        #expect(batch.row(0) == [.integer(4)])
        #expect(try await Self.tags(session, "FETCH ALL FROM p; COMMIT").last == "COMMIT")
        #expect(portal.isClosed)
        session.close()
        await engine.shutdown()
    }
}
