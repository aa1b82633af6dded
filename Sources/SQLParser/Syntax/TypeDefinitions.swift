// Statements that make and change types: CREATE TYPE, CREATE DOMAIN, ALTER and DROP of both.

import Diagnostics

package struct TypeStatement: Hashable, Sendable {
    package enum Action: Hashable, Sendable {
        case createEnumeration([String])
        case createComposite([TypeAttribute])
        case createDomain(DomainDescription)
        case addLabel(EnumerationLabel)
        case renameLabel(String, to: String)
        case alterDomain(DomainChange)
        case renameAttribute(Identifier, to: Identifier)
        case renameTo(Identifier, isDomain: Bool)
        case setSchema(Identifier, isDomain: Bool)
        case ownerTo(Identifier)
        case drop(TypeDrop)
    }
    /// Empty for `drop`.
    package let name: ObjectName
    package let action: Action
    @Located package var position: SourcePosition
}

/// A field of a composite type.
package struct TypeAttribute: Hashable, Sendable {
    package let name: Identifier
    package let type: TypeName
}

/// ADD VALUE: behind all others, or beside one.
package struct EnumerationLabel: Hashable, Sendable {
    package let text: String
    package let ifNotExists: Bool
    package let isBefore: Bool
    package let neighbour: String?
}

package struct DomainDescription: Hashable, Sendable {
    package let type: TypeName
    package let constraints: [ColumnConstraint]
}

package enum DomainChange: Hashable, Sendable {
    case setDefault(Expression)
    case dropDefault
    case setNotNull
    case dropNotNull
    case addConstraint(ColumnConstraint, isValidated: Bool)
    case dropConstraint(Identifier, ifExists: Bool)
    case renameConstraint(Identifier, to: Identifier)
    case validateConstraint(Identifier)
}

package struct TypeDrop: Hashable, Sendable {
    package let names: [ObjectName]
    package let isDomain: Bool
    package let ifExists: Bool
    package let cascade: Bool
}
