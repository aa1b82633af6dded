// Types that statements made: enumerated and composite types, and domains.

import Columnar
import Diagnostics
import QueryPlan
import Synchronization

/// A type of the catalogue. Values of a domain are values of its base type: the binder adds its checks wherever a value
/// becomes one of the domain, and nothing behind the binder knows that there are domains.
package struct UserType: Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
        /// The shared object, and the labels as the transaction sees them; the object follows when it commits.
        case enumeration(EnumeratedType, labels: [EnumeratedType.Label])
        case composite([Attribute])
        case domain(Domain)
    }

    /// A field of a composite type.
    package struct Attribute: Hashable, Sendable {
        package var field: Field
        /// The domain or composite type that the field's values belong to.
        package var userType: Int64?
        package init(field: Field, userType: Int64?) {
            self.field = field
            self.userType = userType
        }
    }

    package struct Domain: Hashable, Sendable {
        package struct Check: Hashable, Sendable {
            package var name: String
            /// Over VALUE.
            package var expression: String
            /// NOT VALID leaves what was stored before unchecked.
            package var isValidated: Bool
            package init(name: String, expression: String, isValidated: Bool) {
                self.name = name
                self.expression = expression
                self.isValidated = isValidated
            }
        }
        /// The type of the values.
        package var base: DataType
        /// What a base type of times or intervals was given with.
        package var modifier: TemporalModifier?
        /// The domain that this one is over.
        package var parent: Int64?
        package var isNotNull: Bool
        package var checks: [Check]
        package var defaultExpression: String?
        package init(
            base: DataType, parent: Int64?, isNotNull: Bool, checks: [Check], defaultExpression: String?
        ) {
            self.base = base
            self.parent = parent
            self.isNotNull = isNotNull
            self.checks = checks
            self.defaultExpression = defaultExpression
        }
    }

    /// The number in pg_type; that of the array type is the next one.
    package var identifier: Int64
    package var kind: Kind
    package init(identifier: Int64, kind: Kind) {
        self.identifier = identifier
        self.kind = kind
    }

    /// The type of its values.
    package var type: DataType {
        switch kind {
        case .enumeration(let type, _): .enumeration(type)
        case .composite(let attributes): .record(attributes.map { Field(name: $0.field.name, type: $0.field.type) })
        case .domain(let domain): domain.base
        }
    }

    private static let identifiers = Atomic<Int64>(1_000_000_000)
    /// Numbers beyond those of all other objects, for a type and its array type.
    package static func nextIdentifier() -> Int64 { identifiers.add(2, ordering: .relaxed).oldValue }

    /// Makes the labels that the transaction saw those of the type.
    package func publish(name: TableName) {
        if case .enumeration(let type, let labels) = kind { type.change(name: name.table, labels: labels) }
    }

    /// Distance of the keys of labels that CREATE TYPE gives: others find room between them.
    package static let keyStride: Int64 = 1 << 32
}
