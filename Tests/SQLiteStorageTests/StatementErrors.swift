// How statements end.

import Diagnostics
import EngineTestSupport

/// The error that a statement ends with.
func failure(_ engine: TestEngine, _ sql: String) async -> QueryError? {
    do {
        _ = try await engine.query(sql)
        return nil
    } catch { return QueryError.wrapping(error) }
}

func state(_ engine: TestEngine, _ sql: String) async -> String { await failure(engine, sql)?.state.code ?? "none" }
