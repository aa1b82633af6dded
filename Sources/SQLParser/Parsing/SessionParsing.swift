// SHOW, SET, RESET, DISCARD, transactions.

import Diagnostics

extension Parser {
    mutating func parseShow() throws(ParseFailure) -> Show {
        let position = position()
        try expect(.show)
        let target: Show.Target
        switch token.keyword {
        case .all:
            try advance()
            if try accept(.tables) {
                target = .tables(schema: try parseShowScope(), all: true)
            } else {
                target = .all
            }
        case .tables:
            try advance()
            target = .tables(schema: try parseShowScope(), all: false)
        case .schemas:
            try advance()
            target = .schemas
        case .functions:
            try advance()
            target = .functions
        case .columns:
            try advance()
            if !(try accept(.in)) { try expect(.from) }
            target = .columns(try parseObjectName())
        case .time:
            try advance()
            try expect(.zone)
            target = .setting("timezone")
        case .transaction:
            try advance()
            try expect(.isolation)
            try expect(.level)
            target = .setting("transaction_isolation")
        case .session:
            try advance()
            try expect(.authorization)
            target = .setting("session_authorization")
        default:
            let name = try parseSettingName()
            target = name == "databases" ? .databases : .setting(name)
        }
        return Show(target: target, position: position)
    }

    private mutating func parseShowScope() throws(ParseFailure) -> ObjectName? {
        guard at(.from) || at(.in) else { return nil }
        try advance()
        return try parseObjectName(limit: 2)
    }

    /// `name` or `prefix.name`.
    private mutating func parseSettingName() throws(ParseFailure) -> String {
        var name = try parseIdentifier().text
        while try acceptKind(.dot) { name += "." + (try parseIdentifier().text) }
        return name
    }

    // MARK: - SET

    mutating func parseSet() throws(ParseFailure) -> Statement {
        let position = position()
        try expect(.set)
        var isLocal = false
        if at(.local) {
            try advance()
            isLocal = true
        } else if at(.session) {
            switch try peek().keyword {
            case .characteristics:
                try advance()
                try advance()
                try expect(.as)
                try expect(.transaction)
                return .setTransaction(SetTransaction(forSession: true, modes: try parseTransactionModes()))
            case .authorization: break
            default: try advance()
            }
        }
        if at(.transaction), try peek().kind == .word {
            try advance()
            if at(.snapshot) { throw notSupported("SET TRANSACTION SNAPSHOT") }
            let modes = try parseTransactionModes()
            if modes.isEmpty { throw syntaxError() }
            return .setTransaction(SetTransaction(forSession: false, modes: modes))
        }
        if at(.constraints) { throw notSupported("SET CONSTRAINTS") }
        let (name, values) = try parseAssignmentOfSetting()
        return .set(SetSetting(isLocal: isLocal, name: name, values: values, position: position))
    }

    /// Behind ALTER: `SYSTEM`, then SET or RESET.
    mutating func parseAlterSystem(at position: SourcePosition) throws(ParseFailure) -> AlterDefaults {
        try expect(.system)
        guard at(.set) || at(.reset) else { throw syntaxError() }
        return try parseAlterDefaults(user: nil, at: position)
    }

    /// SET or RESET, of one user or of all.
    mutating func parseAlterDefaults(user: Identifier?, at position: SourcePosition) throws(ParseFailure)
        -> AlterDefaults
    {
        if try accept(.reset) {
            let name = try accept(.all) ? nil : try parseSettingName()
            return AlterDefaults(user: user, name: name, values: [], position: position)
        }
        try expect(.set)
        let (name, values) = try parseAssignmentOfSetting()
        return AlterDefaults(user: user, name: name, values: values, position: position)
    }

    private mutating func parseAssignmentOfSetting() throws(ParseFailure) -> (String, [SetSetting.Value]) {
        switch token.keyword {
        case .time:
            guard try peek().keyword == .zone else { break }
            try advance()
            try advance()
            return ("timezone", try parseTimeZone())
        case .session:
            try advance()
            try expect(.authorization)
            return ("session_authorization", try parseRoleValue())
        case .role:
            switch try peek().kind {
            case .equals: break
            default:
                if try peek().keyword == .to { break }
                try advance()
                return ("role", try parseRoleValue())
            }
        case .names:
            guard try peek().kind != .equals, try peek().keyword != .to else { break }
            try advance()
            if try accept(.default) || !(Parser.isString(token.kind)) { return ("client_encoding", []) }
            return ("client_encoding", [.text(try parseString())])
        case .schema:
            guard Parser.isString(try peek().kind) else { break }
            try advance()
            return ("search_path", [.text(try parseString())])
        case .catalog:
            guard Parser.isString(try peek().kind) else { break }
            throw notSupported("SET CATALOG")
        case .xml: throw notSupported("SET XML OPTION")
        default: break
        }
        let name = try parseSettingName()
        if at(.from), try peek().keyword == .current { throw notSupported("SET FROM CURRENT") }
        if !(try acceptKind(.equals)) { try expect(.to) }
        if try accept(.default) { return (name, []) }
        var values: [SetSetting.Value] = []
        repeat { values.append(try parseSettingValue()) } while try acceptKind(.comma)
        return (name, values)
    }

    private mutating func parseSettingValue() throws(ParseFailure) -> SetSetting.Value {
        if Parser.isString(token.kind) { return .text(try parseString()) }
        if let number = try parseOptionalNumber() { return .number(number) }
        switch token.keyword {
        case .true, .false, .on: return .text(try parseLabel().text)
        default: break
        }
        // Any word but a reserved one.
        guard atColumnName || atTypeOrFunctionName else { throw syntaxError() }
        return .text(try parseLabel().text)
    }

    private mutating func parseTimeZone() throws(ParseFailure) -> [SetSetting.Value] {
        if try accept(.default) { return [] }
        if try accept(.local) { return [] }
        if Parser.isString(token.kind) { return [.text(try parseString())] }
        if let number = try parseOptionalNumber() { return [.number(number)] }
        if at(.interval) {
            try advance()
            let text = try parseString()
            let (fields, _) = try parseIntervalFields()
            switch fields {
            case nil, .hour, .hourToMinute: return [.text("interval '\(text)'")]
            default:
                throw ParseFailure(
                    .syntaxError, "time zone interval must be HOUR or HOUR TO MINUTE", at: position(of: previous))
            }
        }
        return [.text(try parseIdentifier().text)]
    }

    private mutating func parseRoleValue() throws(ParseFailure) -> [SetSetting.Value] {
        if try accept(.default) { return [] }
        if Parser.isString(token.kind) { return [.text(try parseString())] }
        return [.text(try parseIdentifier().text)]
    }

    mutating func parseReset() throws(ParseFailure) -> Statement {
        try expect(.reset)
        switch token.keyword {
        case .all:
            try advance()
            return .reset(name: nil)
        case .time:
            try advance()
            try expect(.zone)
            return .reset(name: "timezone")
        case .transaction:
            try advance()
            try expect(.isolation)
            try expect(.level)
            return .reset(name: "transaction_isolation")
        case .session:
            try advance()
            try expect(.authorization)
            return .reset(name: "session_authorization")
        default: return .reset(name: try parseSettingName())
        }
    }

    mutating func parseDiscard() throws(ParseFailure) -> Statement {
        try expect(.discard)
        let target: Discard
        switch token.keyword {
        case .all: target = .all
        case .plans: target = .plans
        case .sequences: target = .sequences
        case .temp, .temporary: target = .temporary
        default: throw syntaxError()
        }
        try advance()
        return .discard(target)
    }

    // MARK: - Transactions

    mutating func parseTransaction() throws(ParseFailure) -> Statement {
        let keyword = token.keyword
        try advance()
        switch keyword {
        case .begin:
            try skipTransactionWord()
            return .begin(try parseTransactionModes(), isStart: false)
        case .start:
            try expect(.transaction)
            return .begin(try parseTransactionModes(), isStart: true)
        case .commit, .end:
            if at(.prepared) { throw notSupported("COMMIT PREPARED") }
            try skipTransactionWord()
            return .commit(andChain: try parseChain())
        case .abort:
            try skipTransactionWord()
            return .rollback(andChain: try parseChain())
        case .rollback:
            if at(.prepared) { throw notSupported("ROLLBACK PREPARED") }
            try skipTransactionWord()
            guard try accept(.to) else { return .rollback(andChain: try parseChain()) }
            _ = try accept(.savepoint)
            return .rollbackToSavepoint(try parseIdentifier())
        case .savepoint: return .savepoint(try parseIdentifier())
        default:
            _ = try accept(.savepoint)
            return .releaseSavepoint(try parseIdentifier())
        }
    }

    private mutating func skipTransactionWord() throws(ParseFailure) {
        if !(try accept(.work)) { _ = try accept(.transaction) }
    }

    /// AND CHAIN or AND NO CHAIN.
    private mutating func parseChain() throws(ParseFailure) -> Bool {
        guard try accept(.and) else { return false }
        let chain = !(try accept(.no))
        try expect(.chain)
        return chain
    }

    private mutating func parseTransactionModes() throws(ParseFailure) -> [TransactionMode] {
        var modes: [TransactionMode] = []
        while true {
            switch token.keyword {
            case .isolation:
                try advance()
                try expect(.level)
                modes.append(.isolationLevel(try parseIsolationLevel()))
            case .read:
                try advance()
                let isReadOnly = try accept(.only)
                if !isReadOnly { try expect(.write) }
                modes.append(.readOnly(isReadOnly))
            case .deferrable:
                try advance()
                modes.append(.deferrable(true))
            case .not:
                try advance()
                try expect(.deferrable)
                modes.append(.deferrable(false))
            default:
                if modes.isEmpty { return [] }
                throw syntaxError()
            }
            if try acceptKind(.comma) { continue }
            switch token.keyword {
            case .isolation, .read, .deferrable, .not: continue
            default: return modes
            }
        }
    }

    private mutating func parseIsolationLevel() throws(ParseFailure) -> String {
        if try accept(.serializable) { return "serializable" }
        if try accept(.repeatable) {
            try expect(.read)
            return "repeatable read"
        }
        try expect(.read)
        if try accept(.committed) { return "read committed" }
        try expect(.uncommitted)
        return "read uncommitted"
    }
}
