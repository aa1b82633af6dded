// The sequences of the catalogue, as a session uses them.

import Diagnostics
import LogicalPlanner
import QueryPlan
import SQLFunctions
import SQLParser
import Storage
import Synchronization

/// Finds sequences by the names that functions are given, in the session's search path.
struct SessionSequences: SequenceAccess {
    let session: Session
    /// Of the statement: threads that compute do not know it.
    private let scope = StorageScope.current

    init(session: Session) { self.session = session }

    func next(_ name: String) throws -> Int64 {
        let sequence = try find(name)
        let value = try sequence.next()
        session.state.withLock { state in
            state.sequences.values[sequence.identity] = value
            state.sequences.last = value
        }
        return value
    }

    func current(_ name: String) throws -> Int64 {
        let sequence = try find(name)
        guard let value = session.state.withLock({ $0.sequences.values[sequence.identity] }) else {
            throw QueryError(
                .objectNotInPrerequisiteState,
                "currval of sequence \"\(sequence.name)\" is not yet defined in this session", object: sequence.name)
        }
        return value
    }

    func set(_ name: String, to value: Int64, isCalled: Bool) throws -> Int64 {
        let sequence = try find(name)
        try sequence.set(value, isCalled: isCalled)
        if isCalled { session.state.withLock { $0.sequences.values[sequence.identity] = value } }
        return value
    }

    func last() throws -> Int64 {
        guard let value = session.state.withLock({ $0.sequences.last }) else {
            throw QueryError(.objectNotInPrerequisiteState, "lastval is not yet defined in this session")
        }
        return value
    }

    private func find(_ text: String) throws -> StoredSequence {
        let parts = try StatementParser.parseName(text)
        let sequences = StorageScope.$current.withValue(scope) { session.engine.catalog.objects.sequences }
        for candidate in session.candidates(parts) {
            if let sequence = sequences[candidate] { return sequence }
        }
        throw QueryError(.undefinedTable, "relation \"\(text)\" does not exist", object: text)
    }
}

extension Session {
    /// The full names that a name of one to three parts may mean.
    func candidates(_ parts: [String]) -> [TableName] {
        let catalog = engine.catalog
        switch parts.count {
        case 1:
            return ([temporarySchema] + settings.searchPath + [catalog.defaultSchema]).map {
                TableName(catalog: catalog.defaultCatalog, schema: $0, table: parts[0])
            }
        case 2: return [TableName(catalog: catalog.defaultCatalog, schema: parts[0], table: parts[1])]
        case 3: return [TableName(catalog: parts[0], schema: parts[1], table: parts[2])]
        default: return []
        }
    }

    /// Where the session's temporary tables are.
    var temporarySchema: String { "pg_temp_\(number)" }
}
