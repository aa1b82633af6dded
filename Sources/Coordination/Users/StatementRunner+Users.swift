// CREATE USER, ALTER USER, DROP USER.

import Diagnostics
import SQLParser
import StateStore

extension StatementRunner {
    /// Takes effect at once, for new connections on every port.
    func changeUsers(_ statement: UserStatement) async throws -> StatementResult {
        let tag =
            switch statement.action {
            case .create: "CREATE ROLE"
            case .alter, .rename: "ALTER ROLE"
            case .drop: "DROP ROLE"
            }
        try refuseInBlock(tag)
        guard let authority = engine.users.authority else {
            throw QueryError.notSupported(
                "users in a process that serves nobody", at: statement.position,
                hint: "martlet standalone and martlet coordinator have users.")
        }
        let own = session.user
        let isOwnPassword: Bool =
            if case .alter(let options) = statement.action, options.isAdministrator == nil,
                statement.names.allSatisfy({ $0.text == own })
            { true } else { false }
        if !isOwnPassword { try requireAdministrator(tag) }
        guard engine.keepsState else {
            throw QueryError(
                .objectNotInPrerequisiteState, "there is no state store to keep users in",
                hint: "Set state.store and state.path, or name users in the configuration file.")
        }
        let change = try await engine.carryOut { [engine] in
            var editor = UserEditor(accounts: engine.users.accounts, authority: authority, own: own)
            try editor.carryOut(statement)
            return editor.change(in: engine)
        }
        return StatementResult(tag: tag, notices: change.notices)
    }
}

/// Works out what a statement makes of the users.
private struct UserEditor {
    private var accounts: [String: UserAccount]
    private let before: [String: UserAccount]
    private let authority: any AccountAuthority
    private let configured: [UserFacts]
    private let own: String
    private var notices: [QueryError] = []
    /// New names by old ones, and users that are gone.
    private var renamed: [String: String] = [:]
    private var dropped: [String] = []

    init(accounts: [String: UserAccount], authority: any AccountAuthority, own: String) {
        self.accounts = accounts
        before = accounts
        self.authority = authority
        self.own = own
        configured = authority.configuredUsers
    }

    mutating func carryOut(_ statement: UserStatement) throws {
        let names = statement.names.isEmpty ? [Identifier(own, at: statement.position)] : statement.names
        for name in names {
            switch statement.action {
            case .create(let options): try create(name, options)
            case .alter(let options): try alter(name, options)
            case .rename(let new): try rename(name, to: new)
            case .drop(let ifExists): try drop(name, ifExists: ifExists)
            }
        }
        try checkAdministrators()
    }

    private mutating func create(_ name: Identifier, _ options: UserOptions) throws {
        try checkNew(name)
        // Whoever makes the first user must be able to go on.
        let isFirst = accounts.isEmpty && configured.isEmpty
        accounts[name.text] = UserAccount(
            name: name.text, verifier: try verifier(options.password, of: name),
            isAdministrator: options.isAdministrator ?? isFirst)
        if isFirst {
            notices.append(
                QueryError(
                    .successfulCompletion, "from now on every client is asked for a password",
                    detail: "User \"\(name.text)\" is the first one, and an administrator."))
        }
    }

    private mutating func alter(_ name: Identifier, _ options: UserOptions) throws {
        guard var account = try existing(name) else { throw missing(name) }
        if let isAdministrator = options.isAdministrator { account.isAdministrator = isAdministrator }
        if options.password != nil { account.verifier = try verifier(options.password, of: name) }
        accounts[name.text] = account
    }

    private mutating func rename(_ name: Identifier, to new: Identifier) throws {
        guard var account = try existing(name) else { throw missing(name) }
        if name.text == own { throw QueryError.notSupported("renaming the user of the session", at: name.position) }
        try checkNew(new)
        account.name = new.text
        accounts[name.text] = nil
        accounts[new.text] = account
        renamed[name.text] = new.text
    }

    private mutating func drop(_ name: Identifier, ifExists: Bool) throws {
        guard try existing(name) != nil else {
            guard ifExists else { throw missing(name) }
            notices.append(QueryError(.successfulCompletion, "role \"\(name.text)\" does not exist, skipping"))
            return
        }
        if name.text == own {
            throw QueryError(SQLState("55006"), "current user cannot be dropped", at: name.position, object: name.text)
        }
        accounts[name.text] = nil
        dropped.append(name.text)
    }

    // MARK: Checks

    /// `nil` if there is none of the name.
    private func existing(_ name: Identifier) throws -> UserAccount? {
        if configured.contains(where: { $0.name == name.text }) {
            throw QueryError(
                .insufficientPrivilege, "user \"\(name.text)\" is one of the configuration file",
                hint: "Change users.\(name.text) there; SIGHUP has the server read it again.", at: name.position,
                object: name.text)
        }
        return accounts[name.text]
    }

    private func missing(_ name: Identifier) -> QueryError {
        QueryError(
            .undefinedObject, "role \"\(name.text)\" does not exist", at: name.position, object: name.text)
    }

    private func checkNew(_ name: Identifier) throws {
        if name.text.hasPrefix("pg_") || ["public", "none"].contains(name.text) {
            throw QueryError(
                SQLState("42939"), "role name \"\(name.text)\" is reserved", at: name.position, object: name.text)
        }
        if accounts[name.text] != nil || configured.contains(where: { $0.name == name.text }) {
            throw QueryError(
                .duplicateObject, "role \"\(name.text)\" already exists", at: name.position, object: name.text)
        }
    }

    private mutating func verifier(_ password: UserOptions.Password?, of name: Identifier) throws -> String? {
        guard case .text(let secret)? = password else { return nil }
        if secret.value.isEmpty {
            notices.append(
                QueryError(.successfulCompletion, "empty string is not a valid password, clearing password"))
            return nil
        }
        return try authority.verifier(ofPassword: secret.value)
    }

    /// Where there are users, one of them has to be able to log in and to change them.
    private func checkAdministrators() throws {
        func isLeft(_ accounts: [String: UserAccount]) -> Bool {
            configured.contains { $0.isAdministrator && $0.canLogIn }
                || accounts.values.contains { account in
                    account.isAdministrator && account.verifier != nil
                        && !configured.contains { $0.name == account.name }
                }
        }
        // An administrator by another way, as in a session from before the first user, takes nothing away.
        if !isLeft(accounts), isLeft(before) || before.isEmpty {
            throw QueryError(
                SQLState("55006"), "no administrator would be left who can log in",
                hint: "The first user needs a PASSWORD and may not be NOSUPERUSER.")
        }
    }

    // MARK: The change

    func change(in engine: QueryEngine) -> KeptChange {
        var change = KeptChange(notices: notices)
        for (name, account) in accounts where before[name] != account {
            change.changes.append(.put(UserAccounts.entry(account)))
        }
        for name in before.keys where accounts[name] == nil { change.changes.append(.remove(.user, name: name)) }
        var settings = renamed.map { engine.settingDefaults.rename($0.key, to: $0.value) }
        for name in dropped {
            if let forgotten = try? engine.settingDefaults.change(name, nil, to: nil) { settings.append(forgotten) }
        }
        change.changes += settings.flatMap(\.changes)
        change.takeEffect = { [accounts, settings] in
            engine.users.take(accounts)
            for setting in settings { setting.takeEffect() }
        }
        return change
    }
}
