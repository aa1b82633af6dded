// CREATE, ALTER and DROP of users.

import Diagnostics

package struct UserStatement: Hashable, Sendable {
    package enum Action: Hashable, Sendable {
        case create(UserOptions)
        case alter(UserOptions)
        case rename(to: Identifier)
        case drop(ifExists: Bool)
    }
    /// One, or several of DROP. None stands for the user of the session: CURRENT_USER and its kin.
    package let names: [Identifier]
    package let action: Action
    @Located package var position: SourcePosition
}

/// What a statement says of a user; `nil` where it says nothing.
package struct UserOptions: Hashable, Sendable {
    package enum Password: Hashable, Sendable {
        case none
        case text(SecretText)
    }
    package var password: Password?
    package var isAdministrator: Bool?
    package init() {}
}

/// A text of a statement that is shown nowhere: printing the statement prints stars.
package struct SecretText: Hashable, Sendable, CustomStringConvertible, CustomReflectable {
    package let value: String
    package init(_ value: String) { self.value = value }
    package var description: String { "********" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
