// Enumerated types: labels in an order of their own.

import Synchronization

/// A type that CREATE TYPE … AS ENUM made. A value is its label's order key, so values compare, hash and join as integers; a
/// label that comes between others later gets a key between theirs, and values stored before keep their meaning.
///
/// Vectors, tables and plans of the process share the object, so that a label that is added later is known to all of them.
package final class EnumeratedType: Sendable {
    package struct Label: Hashable, Sendable {
        package var key: Int64
        package var text: String
        package init(key: Int64, text: String) {
            self.key = key
            self.text = text
        }
    }

    /// The type's number in pg_type; that of its array type is the next one.
    package let identifier: Int64
    private let state: Mutex<(name: String, labels: [Label])>

    /// `labels` have ascending keys.
    package init(identifier: Int64, name: String, labels: [Label]) {
        self.identifier = identifier
        state = Mutex((name, labels))
    }

    /// What the frames of an exchange say of the type: the reader knows the rest.
    package static let unnamed = EnumeratedType(identifier: 0, name: "", labels: [])

    /// As messages and `format_type` show it.
    package var name: String { state.withLock { $0.name } }
    /// By ascending key.
    package var labels: [Label] { state.withLock { $0.labels } }
    package func change(name: String, labels: [Label]) { state.withLock { $0 = (name, labels) } }

    /// The label of a value; `nil` for a key that none has.
    package func label(of key: Int64) -> String? {
        state.withLock { state in
            var low = 0
            var high = state.labels.count
            while low < high {
                let middle = (low + high) / 2
                if state.labels[middle].key < key { low = middle + 1 } else { high = middle }
            }
            return low < state.labels.count && state.labels[low].key == key ? state.labels[low].text : nil
        }
    }

    package func key(of label: String) -> Int64? {
        state.withLock { state in state.labels.first { $0.text == label }?.key }
    }
}

extension EnumeratedType: Hashable {
    package static func == (a: EnumeratedType, b: EnumeratedType) -> Bool { a.identifier == b.identifier }
    package func hash(into hasher: inout Hasher) { hasher.combine(identifier) }
}
