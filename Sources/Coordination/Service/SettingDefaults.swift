// Values of settings that sessions begin with: ALTER SYSTEM SET, ALTER ROLE … SET.

import Diagnostics
import StateStore
import Synchronization

/// What was set for all users and for single ones, beyond the defaults of the settings themselves.
package final class SettingDefaults: Sendable {
    /// Of all users if there is none.
    private struct Key: Hashable {
        var user: String?
        var name: String
    }
    private let values = Mutex<[Key: String]>([:])

    package init() {}

    /// What a session of the user begins with.
    func values(of user: String) -> [String: String] {
        values.withLock { values in
            var result: [String: String] = [:]
            for (key, value) in values where key.user == nil { result[key.name] = value }
            for (key, value) in values where key.user == user { result[key.name] = value }
            return result
        }
    }

    /// Changes one setting, or takes back all. Errors: as SET.
    func change(_ user: String?, _ name: String?, to value: String?) throws -> KeptChange {
        guard let name else {
            let gone = values.withLock { $0.keys.filter { $0.user == user } }
            return KeptChange(changes: gone.map { .remove(.setting, name: Self.name($0)) }) { [self] in
                values.withLock { values in for key in gone { values[key] = nil } }
            }
        }
        let key = Key(user: user, name: SessionSettings.canonicalName(name))
        var checked = SessionSettings()
        _ = try checked.set(name, to: value)
        let change: StateChange =
            value.map { .put(StateEntry(.setting, Self.name(key), $0)) } ?? .remove(.setting, name: Self.name(key))
        return KeptChange(changes: [change]) { [self] in values.withLock { $0[key] = value } }
    }

    /// What was set for a user is set for the user's new name.
    func rename(_ user: String, to new: String) -> KeptChange {
        let moved = values.withLock { $0.filter { $0.key.user == user } }
        var changes: [StateChange] = moved.keys.map { .remove(.setting, name: Self.name($0)) }
        changes += moved.map { .put(StateEntry(.setting, Self.name(Key(user: new, name: $0.key.name)), $0.value)) }
        return KeptChange(changes: changes) { [self] in
            values.withLock { values in
                for (key, value) in moved {
                    values[key] = nil
                    values[Key(user: new, name: key.name)] = value
                }
            }
        }
    }

    /// Takes over what a store has; entries that have no meaning any more are left alone.
    func take(_ difference: StateDifference) {
        for entry in difference.put where entry.kind == .setting {
            guard let key = Self.key(entry.name) else { continue }
            var checked = SessionSettings()
            do { _ = try checked.set(key.name, to: entry.value) } catch { continue }
            values.withLock { $0[key] = entry.value }
        }
        for removed in difference.removed where removed.kind == .setting {
            if let key = Self.key(removed.name) { values.withLock { $0[key] = nil } }
        }
    }

    private static func key(_ text: String) -> Key? {
        guard let line = StateRecord(text)?.lines.first, (1...2).contains(line.count) else { return nil }
        return Key(user: line.count == 2 ? line[1] : nil, name: line[0])
    }

    private static func name(_ key: Key) -> String {
        var record = StateRecord()
        if let user = key.user { record.add(key.name, user) } else { record.add(key.name) }
        return record.text
    }
}

extension StatementRunner {
    func alterDefaults(_ user: String?, _ name: String?, _ value: String?) async throws -> StatementResult {
        let tag = user == nil ? "ALTER SYSTEM" : "ALTER ROLE"
        try refuseInBlock(tag)
        if user == nil || user != session.user { try requireAdministrator(tag) }
        try await engine.carryOut { [engine] in try engine.settingDefaults.change(user, name, to: value) }
        return StatementResult(tag: tag)
    }

    /// What takes effect for other sessions at once cannot be rolled back.
    func refuseInBlock(_ tag: String) throws {
        guard session.transactionStatus == .idle, !session.hasImplicitBlock else {
            throw QueryError(.activeSQLTransaction, "\(tag) cannot run inside a transaction block")
        }
    }

    func requireAdministrator(_ tag: String) throws {
        guard engine.users.isAdministrator(session.user) else {
            throw QueryError(
                .insufficientPrivilege, "permission denied: \(tag) is for administrators",
                hint: "Administrators are users with administrator: true in the configuration file, and those made by"
                    + " CREATE USER … SUPERUSER.")
        }
    }
}
