// CREATE USER, ALTER USER, DROP USER, and the same of roles that may log in.

import Diagnostics

extension Parser {
    mutating func parseCreateUser(at position: SourcePosition) throws(ParseFailure) -> UserStatement {
        let isUser = at(.user)
        try advance()
        let name = try parseUserName()
        var canLogIn = isUser
        let options = try parseUserOptions(canLogIn: &canLogIn)
        if !canLogIn {
            throw unsupported("a role that cannot log in", hint: "CREATE USER makes users, CREATE ROLE … LOGIN too.")
        }
        return UserStatement(names: [name], action: .create(options), position: position)
    }

    /// Behind ALTER: `USER name` or `ROLE name`, then what changes.
    mutating func parseAlterUser(at position: SourcePosition) throws(ParseFailure) -> Statement {
        let object = lexer.foldedWord(token).uppercasedASCII
        try advance()
        if at(.all) { throw notSupported("ALTER \(object) ALL") }
        let name = try parseUserNameOrSelf()
        if at(.set) || at(.reset) {
            guard let name else { throw unsupported("settings of CURRENT_USER", hint: "Write the name.") }
            return .alterDefaults(try parseAlterDefaults(user: name, at: position))
        }
        if at(.in) { throw notSupported("ALTER \(object) … IN DATABASE") }
        let names = name.map { [$0] } ?? []
        if try accept(.rename) {
            try expect(.to)
            let new = try parseUserName()
            return .user(UserStatement(names: names, action: .rename(to: new), position: position))
        }
        var canLogIn = true
        let options = try parseUserOptions(canLogIn: &canLogIn)
        if !canLogIn { throw unsupported("NOLOGIN", hint: "PASSWORD NULL takes the password away.") }
        return .user(UserStatement(names: names, action: .alter(options), position: position))
    }

    /// Behind DROP: `USER [IF EXISTS] name, …`.
    mutating func parseDropUser(at position: SourcePosition) throws(ParseFailure) -> UserStatement {
        try advance()
        let ifExists = try parseIfExists()
        var names: [Identifier] = []
        repeat { names.append(try parseUserName()) } while try acceptKind(.comma)
        return UserStatement(names: names, action: .drop(ifExists: ifExists), position: position)
    }

    private mutating func parseUserName() throws(ParseFailure) -> Identifier {
        switch token.keyword {
        case .currentUser, .sessionUser, .currentRole, .user:
            throw ParseFailure(
                .invalidParameterValue, "\(lexer.foldedWord(token).uppercasedASCII) cannot be used as a role name here",
                at: self.position())
        default: return try parseIdentifier()
        }
    }

    /// `nil` for CURRENT_USER and its kin.
    private mutating func parseUserNameOrSelf() throws(ParseFailure) -> Identifier? {
        switch token.keyword {
        case .currentUser, .sessionUser, .currentRole, .user:
            try advance()
            return nil
        default: return try parseIdentifier()
        }
    }

    /// What is true of every user is taken without effect; what would have to be kept to is refused.
    private mutating func parseUserOptions(canLogIn: inout Bool) throws(ParseFailure) -> UserOptions {
        _ = try accept(.with)
        var options = UserOptions()
        while !atKind(.semicolon), !atKind(.endOfInput) {
            let start = self.position()
            switch token.keyword {
            case .encrypted, .password:
                _ = try accept(.encrypted)
                try expect(.password)
                if options.password != nil { throw conflict(at: start) }
                options.password = try accept(.null) ? UserOptions.Password.none : .text(SecretText(try parseString()))
                continue
            case .unencrypted: throw unsupported("UNENCRYPTED PASSWORD", hint: "Verifiers are kept, never passwords.")
            case .inherit:
                try advance()
                continue
            default: break
            }
            // Options are words of no other meaning; one in quotes or a string is none.
            guard token.kind == .word else { throw syntaxError() }
            switch lexer.foldedWord(token) {
            case "superuser", "nosuperuser":
                if options.isAdministrator != nil { throw conflict(at: start) }
                options.isAdministrator = lexer.foldedWord(token) == "superuser"
            case "login": canLogIn = true
            case "nologin": canLogIn = false
            case "createdb", "nocreatedb", "createrole", "nocreaterole", "noinherit", "noreplication", "nobypassrls":
                break
            case "replication", "bypassrls", "connection", "valid", "in", "role", "admin", "user", "sysid":
                throw notSupported("the option " + lexer.foldedWord(token).uppercasedASCII + " of users")
            default: throw syntaxError()
            }
            try advance()
        }
        return options
    }

    private mutating func unsupported(_ construct: String, hint: String) -> ParseFailure {
        ParseFailure(.notSupported(construct, at: position(), hint: hint))
    }

    private func conflict(at position: SourcePosition) -> ParseFailure {
        ParseFailure(.syntaxError, "conflicting or redundant options", at: position)
    }
}
