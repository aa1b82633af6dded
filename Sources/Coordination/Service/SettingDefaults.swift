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

    /// Changes one setting, or takes back all. Returns what a store of state is to keep of that. Errors: as SET.
    func change(_ user: String?, _ name: String?, to value: String?) throws -> [StateChange] {
        guard let name else {
            return values.withLock { values in
                let gone = values.keys.filter { $0.user == user }
                for key in gone { values[key] = nil }
                return gone.map { .remove(.setting, name: Self.name($0)) }
            }
        }
        let key = Key(user: user, name: SessionSettings.canonicalName(name))
        var checked = SessionSettings()
        _ = try checked.set(name, to: value)
        values.withLock { $0[key] = value }
        return [
            value.map { .put(StateEntry(.setting, Self.name(key), $0)) } ?? .remove(.setting, name: Self.name(key))
        ]
    }

    /// Takes over an entry of a store; one that has no meaning any more is left alone.
    func restore(_ entry: StateEntry) {
        guard let line = StateRecord(entry.name)?.lines.first, (1...2).contains(line.count) else { return }
        var checked = SessionSettings()
        do { _ = try checked.set(line[0], to: entry.value) } catch { return }
        let key = Key(user: line.count == 2 ? line[1] : nil, name: line[0])
        values.withLock { if $0[key] == nil { $0[key] = entry.value } }
    }

    private static func name(_ key: Key) -> String {
        var record = StateRecord()
        if let user = key.user { record.add(key.name, user) } else { record.add(key.name) }
        return record.text
    }
}

extension StatementRunner {
    func alterDefaults(_ user: String?, _ name: String?, _ value: String?) throws -> StatementResult {
        let tag = user == nil ? "ALTER SYSTEM" : "ALTER ROLE"
        guard session.transactionStatus == .idle else {
            throw QueryError(.activeSQLTransaction, "\(tag) cannot run inside a transaction block")
        }
        engine.keep(try engine.settingDefaults.change(user, name, to: value))
        return StatementResult(tag: tag)
    }
}
