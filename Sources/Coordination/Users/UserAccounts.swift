// The users of a server: those that statements made, and what the front ends' authority knows of the others.

import Diagnostics
import StateStore
import Synchronization

/// A user that a statement made.
package struct UserAccount: Hashable, Sendable {
    package var name: String
    /// Of the password, as PostgreSQL writes it; `nil`: no password opens a session of the user.
    package var verifier: String?
    package var isAdministrator: Bool
    package init(name: String, verifier: String?, isAdministrator: Bool) {
        self.name = name
        self.verifier = verifier
        self.isAdministrator = isAdministrator
    }
}

/// Printing one by accident shows no verifier.
extension UserAccount: CustomStringConvertible, CustomReflectable {
    package var description: String { "user \(name)" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}

/// What everybody may know of a user.
package struct UserFacts: Hashable, Sendable {
    package var name: String
    /// Whether a password or a token opens a session.
    package var canLogIn: Bool
    package var isAdministrator: Bool
    /// Whether the configuration names the user, which statements then cannot change.
    package var isConfigured: Bool
    /// As pg_roles shows it; stays the same while the process lives.
    package var number: Int64 = 0
    package init(name: String, canLogIn: Bool, isAdministrator: Bool, isConfigured: Bool) {
        self.name = name
        self.canLogIn = canLogIn
        self.isAdministrator = isAdministrator
        self.isConfigured = isConfigured
    }
}

/// Decides who is let in. It knows the users of the configuration, and is told of those that statements make.
package protocol AccountAuthority: AnyObject, Sendable {
    /// The users of the configuration.
    var configuredUsers: [UserFacts] { get }
    /// What is kept of a password; of a text that is a verifier, itself. 22023 for a text that is neither.
    func verifier(ofPassword text: String) throws -> String
    /// From now on these are the users that statements have made.
    func take(_ accounts: [UserAccount])
    func isAdministrator(_ user: String) -> Bool
}

/// Thread-safe.
package final class UserAccounts: Sendable {
    private struct State {
        var authority: (any AccountAuthority)?
        var accounts: [String: UserAccount] = [:]
        var numbers: [String: Int64] = [:]
    }
    private let state = Mutex(State())
    private static let numberFirst: Int64 = 16_384

    package init() {}

    /// Before sessions are opened. Without an authority there is nobody to tell from others, as in the shell.
    package func install(_ authority: any AccountAuthority) { state.withLock { $0.authority = authority } }

    var authority: (any AccountAuthority)? { state.withLock { $0.authority } }
    var accounts: [String: UserAccount] { state.withLock { $0.accounts } }

    package func isAdministrator(_ user: String) -> Bool { authority?.isAdministrator(user) ?? true }

    /// All users, by name. One of the configuration hides one of the same name that a statement made.
    package var facts: [UserFacts] {
        let (authority, accounts) = state.withLock { ($0.authority, $0.accounts) }
        guard let authority else { return [] }
        var all = authority.configuredUsers
        let configured = Set(all.map(\.name))
        all += accounts.values.filter { !configured.contains($0.name) }.map {
            UserFacts(
                name: $0.name, canLogIn: $0.verifier != nil, isAdministrator: $0.isAdministrator, isConfigured: false)
        }
        all.sort { $0.name < $1.name }
        state.withLock { state in
            for index in all.indices {
                let next = Self.numberFirst + Int64(state.numbers.count)
                all[index].number = state.numbers[all[index].name] ?? next
                state.numbers[all[index].name] = all[index].number
            }
        }
        return all
    }

    // MARK: Kept over the end of the process

    /// Takes over what a store has; also called when there is no store, and so nothing to wait for. Of a store that was made
    /// anew the users that are missing stay: where there are none, everybody is let in.
    package func take(_ difference: StateDifference) {
        var accounts = accounts
        let before = accounts
        for key in difference.removed where key.kind == .user && !difference.isRewound { accounts[key.name] = nil }
        for entry in difference.put {
            if let account = Self.account(entry) { accounts[account.name] = account }
        }
        if difference.isFirst || accounts != before { take(accounts) }
    }

    func take(_ accounts: [String: UserAccount]) {
        state.withLock { $0.accounts = accounts }
        authority?.take(accounts.values.sorted { $0.name < $1.name })
    }

    static func entry(_ account: UserAccount) -> StateEntry {
        var record = StateRecord()
        if let verifier = account.verifier { record.add("verifier", verifier) }
        if account.isAdministrator { record.add("administrator") }
        return StateEntry(.user, account.name, record.text)
    }

    static func account(_ entry: StateEntry) -> UserAccount? {
        guard entry.kind == .user, let record = StateRecord(entry.value) else { return nil }
        return UserAccount(
            name: entry.name, verifier: record.first("verifier"),
            isAdministrator: !record.all("administrator").isEmpty)
    }
}
