// The groups of one grouping set, as one driver collects them.

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions

/// Groups with their states, and the rows kept for DISTINCT and ordered calls. Confined to one thread at a time.
final class GroupSet {
    let plan: AggregatePlan
    let index: Int
    let layout: GroupLayout
    /// `nil` if the set has no keys: then there is one group, `single`.
    let table: GroupTable?
    private let singleStore: GroupRowStore
    let single: UnsafeMutableRawPointer?
    /// By call; `nil` for calls that are updated at once.
    private(set) var collections: [CallCollection?]
    private let pointers: UnsafeMutablePointer<UnsafeMutableRawPointer>
    /// Memory that keys of this table's groups lie in though it belongs to others.
    private var borrowedHeaps: [StringHeap] = []
    private(set) var rowsSeen = 0

    init(plan: AggregatePlan, index: Int, slotCountMax: Int = .max, copiesStrings: Bool = true) {
        self.plan = plan
        self.index = index
        layout = plan.layouts[index]
        pointers = .allocate(capacity: GroupTable.chunkRows)
        collections = plan.calls.map { $0.isCollected ? CallCollection($0) : nil }
        singleStore = GroupRowStore(layout: layout, isPartitioned: false)
        if layout.types.isEmpty {
            table = nil
            let row = singleStore.allocate(hash: 0)
            row.initializeMemory(as: UInt8.self, repeating: 0, count: layout.rowByteCount)
            single = row
            pointers[0] = row
            layout.initializeStates(pointers, count: 1)
        } else {
            table = GroupTable(layout: layout, slotCountMax: slotCountMax, copiesStrings: copiesStrings)
            single = nil
        }
    }

    deinit { pointers.deallocate() }

    var groupCount: Int { table?.groupCount ?? 1 }
    var byteCount: Int {
        (table?.byteCount ?? singleStore.byteCount) + collections.reduce(0) { $0 + ($1?.byteCount ?? 0) }
    }

    /// Adds the rows of the input's batch.
    func add(_ input: AggregateInput) throws {
        rowsSeen += input.count
        if let table { _ = table.find(plan.sets[index].map { input.keyVectors[$0] }, count: input.count) }
        try update(input)
    }

    /// Adds the rows as groups of their own, without look-up.
    func append(_ input: AggregateInput) throws {
        rowsSeen += input.count
        table?.append(plan.sets[index].map { input.keyVectors[$0] }, count: input.count)
        try update(input)
    }

    private func update(_ input: AggregateInput) throws {
        if plan.mode == .final { return try merge(input) }
        for group in input.callGroups where group.count > 0 {
            let groups = rows(of: group)
            for (call, arguments, ordering) in group.calls {
                let vectors = arguments.map { group.vectors[$0] }
                if let collection = collections[call] {
                    collection.add(
                        groups: groups, single: single, arguments: vectors,
                        ordering: ordering.map { group.vectors[$0] },
                        count: group.count)
                } else if let single {
                    try plan.calls[call].executor.updateSingle(
                        single + layout.stateOffsets[call], arguments: vectors, count: group.count)
                } else {
                    try plan.calls[call].executor.update(
                        groups, offset: layout.stateOffsets[call], arguments: vectors, count: group.count)
                }
            }
        }
    }

    /// The groups of the rows that pass a call group's filter.
    private func rows(of group: AggregateInput.CallGroup) -> UnsafeMutablePointer<UnsafeMutableRawPointer> {
        guard let table, let selection = group.selection else { return table?.groups ?? pointers }
        let rows = selection.rows
        var index = 0
        while index < selection.count {
            pointers[index] = table.groups[Int(rows[index])]
            index &+= 1
        }
        return pointers
    }

    private func merge(_ input: AggregateInput) throws {
        let groups: UnsafeMutablePointer<UnsafeMutableRawPointer>
        if let table {
            groups = table.groups
        } else {
            pointers.update(repeating: single.unsafelyUnwrapped, count: input.count)
            groups = pointers
        }
        for (call, states) in input.states.enumerated() {
            try plan.calls[call].executor.merge(
                groups, offset: layout.stateOffsets[call], exported: states, count: input.count)
        }
    }

    // MARK: Merging

    /// Adds groups that were exported: columns of keys, then of states.
    func merge(exported batch: Batch) throws {
        guard let table else { throw QueryError.internalError("groups without keys are not exported") }
        let keyCount = layout.types.count
        table.find((0..<keyCount).map { batch.column($0) }, count: batch.rowCount)
        var column = keyCount
        for (executor, offset) in zip(layout.executors, layout.stateOffsets) {
            let width = executor.exportedTypes.count
            try executor.merge(
                table.groups, offset: offset, exported: (column..<column + width).map { batch.column($0) },
                count: batch.rowCount)
            column += width
        }
    }

    /// Adds all groups of another driver's set, and what it collected. The other is of no use afterwards, but must live
    /// as long as this one: keys are not copied.
    func absorb(_ other: GroupSet) throws {
        if let single, let otherSingle = other.single {
            other.pointers[0] = otherSingle
            pointers[0] = single
            try combine(pointers, sources: other.pointers, count: 1)
            for (own, theirs) in zip(collections, other.collections) {
                if let own, let theirs { own.absorb(theirs) { _ in UInt(bitPattern: single) } }
            }
            return
        }
        guard let theirs = other.table else { return }
        try absorb(theirs, partition: 0, forwards: plan.hasCollectedCalls)
        borrowedHeaps += [theirs.heap] + other.borrowedHeaps
        for (own, collected) in zip(collections, other.collections) {
            // The row of an absorbed group holds the address of the group that it became part of.
            if let own, let collected {
                own.absorb(collected) { UnsafeRawPointer(bitPattern: $0).unsafelyUnwrapped.load(as: UInt.self) }
            }
        }
    }

    /// Adds one partition of a table.
    func absorb(_ source: GroupTable, partition: Int, forwards: Bool = false) throws {
        guard let table else { return }
        let hashes = UnsafeMutablePointer<UInt64>.allocate(capacity: GroupTable.chunkRows)
        defer { hashes.deallocate() }
        try source.store.forEachChunk(partition: partition) { rows, count in
            var row = 0
            while row < count {
                hashes[row] = rowHash(rows[row])
                row &+= 1
            }
            table.find(source.readKeys(rows, count: count), hashes: hashes, count: count)
            try combine(table.groups, sources: rows, count: count)
            if forwards {
                row = 0
                while row < count {
                    rows[row].storeBytes(of: UInt(bitPattern: table.groups[row]), as: UInt.self)
                    row &+= 1
                }
            }
        }
    }

    private func combine(
        _ targets: UnsafePointer<UnsafeMutableRawPointer>, sources: UnsafePointer<UnsafeMutableRawPointer>, count: Int
    ) throws {
        for (executor, offset) in zip(layout.executors, layout.stateOffsets) {
            try executor.combine(targets, sources: sources, offset: offset, count: count)
        }
    }

    /// Feeds what was collected to the states; before results are read.
    func settleCollections() throws {
        for (call, collection) in collections.enumerated() {
            try collection?.settle(into: plan.calls[call].executor, offset: layout.stateOffsets[call])
            collections[call] = nil
        }
    }

    // MARK: Output

    /// A batch of results, or in partial mode of exported states.
    func output(_ rows: UnsafePointer<UnsafeMutableRawPointer>, count: Int) throws -> Batch {
        let keys = table?.readKeys(rows, count: count) ?? []
        // Long keys may lie in a heap of another table.
        if layout.hasViews, !borrowedHeaps.isEmpty {
            for key in keys where key.physical == .view { key.pinned += borrowedHeaps as [any AnyObject] }
        }
        return try output(rows, keys: keys, count: count)
    }

    func output(_ rows: UnsafePointer<UnsafeMutableRawPointer>, keys: [Vector], count: Int) throws -> Batch {
        var results: [Vector] = []
        for (executor, offset) in zip(layout.executors, layout.stateOffsets) {
            if plan.mode == .partial {
                results += try executor.export(rows, offset: offset, count: count)
            } else {
                results.append(try executor.finalize(rows, offset: offset, count: count))
            }
        }
        return Batch(
            columns: plan.outputColumns(set: index, keys: keys, results: results, count: count), rowCount: count)
    }

    /// The only group of a set without keys.
    func singleOutput() throws -> Batch {
        pointers[0] = single.unsafelyUnwrapped
        return try output(pointers, keys: [], count: 1)
    }

    /// Lets keys point into memory of other tables.
    func borrow(_ heaps: [StringHeap]) { borrowedHeaps += heaps }
}
