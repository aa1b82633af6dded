// What others have changed in the store of state.

import StateStore

/// From the entries that were read last to those that there are now.
package struct StateDifference: Sendable {
    /// Entries that were not there.
    package var added: [StateEntry] = []
    /// Entries with another value.
    package var changed: [StateEntry] = []
    package var removed: [StateEntry.Key] = []
    /// The store is read for the first time.
    package var isFirst = false
    /// The store is an older one than was known: it was made anew or brought back from a copy.
    package var isRewound = false

    package init(isFirst: Bool = false) { self.isFirst = isFirst }

    init(from known: [StateEntry.Key: String], to entries: [StateEntry]) {
        var left = known
        for entry in entries {
            switch left.removeValue(forKey: entry.key) {
            case nil: added.append(entry)
            case entry.value: break
            default: changed.append(entry)
            }
        }
        removed = left.keys.sorted { ($0.kind.rawValue, $0.name) < ($1.kind.rawValue, $1.name) }
    }

    /// Entries as they are now.
    var put: [StateEntry] { added + changed }
    var keys: Set<StateEntry.Key> { Set(put.map(\.key) + removed) }
}
