// Grouping sets whose groups follow from those of another set: (a) from (a, b), the total from (a).

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions

/// Which sets of a node take their groups from which. ROLLUP over n keys looks up each row once instead of n + 1 times.
struct DerivedSets: Sendable {
    /// By set: the set that it follows from, if there is one.
    private let parents: [Int?]
    /// Sets with a parent, each behind its parent.
    let order: [Int]

    static let none = DerivedSets(sets: [])

    /// The set that a set follows from.
    func parent(of set: Int) -> Int? { set < parents.count ? parents[set] : nil }

    /// Sets as key indexes. The parent of a set is the smallest one that has all of its keys.
    init(sets: [[Int]]) {
        let keys = sets.map(Set.init)
        var parents = [Int?](repeating: nil, count: sets.count)
        for set in sets.indices {
            for other in sets.indices
            where other != set && !keys[other].isEmpty && keys[set].isSubset(of: keys[other]) {
                // Of equal sets the first one is the parent of the others.
                if keys[other].count == keys[set].count && other > set { continue }
                if let known = parents[set], keys[known].count <= keys[other].count { continue }
                parents[set] = other
            }
        }
        self.parents = parents
        order = sets.indices.filter { parents[$0] != nil }.sorted {
            keys[$0].count != keys[$1].count ? keys[$0].count > keys[$1].count : $0 < $1
        }
    }

    var isEmpty: Bool { order.isEmpty }
}

extension AggregatePlan {
    /// Whether states of groups may be put together instead of adding the rows again, with the same result to the last
    /// bit: nothing that sees the order of rows, nothing that rounds.
    static func isAssociative(_ calls: [AggregateCallPlan]) -> Bool {
        calls.allSatisfy { call in
            !call.isCollected && !call.isOrderSensitive
                && (call.arguments.allSatisfy { !$0.type.isFloat } || ["min", "max", "count"].contains(call.call.name))
        }
    }
}

extension GroupSet {
    /// Adds the groups of a set that has all of this set's keys.
    func addGroups(of parent: GroupSet) throws {
        guard let source = parent.table else { return }
        let parentKeys = plan.sets[parent.index]
        let positions = plan.sets[index].compactMap { parentKeys.firstIndex(of: $0) }
        for partition in 0..<source.store.partitionCount {
            try source.store.forEachChunk(partition: partition) { rows, count in
                let sources = Array(UnsafeBufferPointer(start: rows, count: count))
                if let table {
                    let keys = source.readKeys(rows, count: count)
                    table.find(positions.map { keys[$0] }, count: count)
                    try combine(from: parent, sources, into: UnsafeBufferPointer(start: table.groups, count: count))
                } else if let single {
                    try combine(from: parent, sources, into: [UnsafeMutableRawPointer](repeating: single, count: count))
                }
            }
        }
    }

    /// Puts states of a set with another layout into those of this one.
    private func combine(
        from parent: GroupSet, _ sources: [UnsafeMutableRawPointer],
        into targets: some Sequence<UnsafeMutableRawPointer>
    ) throws {
        let targets = Array(targets)
        for (call, executor) in layout.executors.enumerated() {
            let offset = layout.stateOffsets[call]
            // The executor looks for both at the same offset.
            let distance = parent.layout.stateOffsets[call] - offset
            try executor.combine(targets, sources: sources.map { $0 + distance }, offset: offset, count: sources.count)
        }
    }
}
