// The probe side of a hash join: looks every row up and gives the joined rows in batches of the standard size.

import CKernels
import Columnar
import Diagnostics
import QueryPlan

final class JoinProbeFactory: OperatorFactory, Sendable {
    private let node: PhysicalNode
    private let shared: JoinShared

    init(node: PhysicalNode, shared: JoinShared) {
        self.node = node
        self.shared = shared
    }

    func makeOperator(downstream: PushOperator, driver: DriverContext) throws -> PushOperator {
        if shared.spill.isActive {
            return try JoinProbeSpiller(node: node, shared: shared, downstream: downstream, driver: driver)
        }
        guard let build = shared.build else { throw QueryError.internalError("the join is probed before it is built") }
        return try JoinProbeOperator(
            node: node, layout: shared.layout, build: build, downstream: downstream, driver: driver)
    }
}

/// Pairs of a probe row and a build row, as two lists. Build rows are from 0.
final class JoinPairs {
    static let capacity = Batch.standardRowCount
    let probe = Selection(capacity: JoinPairs.capacity)
    private let buildBuffer = Buffer(byteCount: (JoinPairs.capacity + 1) * 4)
    var build: UnsafeMutablePointer<UInt32> { buildBuffer.base.assumingMemoryBound(to: UInt32.self) }
    var count = 0
}

final class JoinProbeOperator: PushOperator {
    private let layout: JoinLayout
    private let build: JoinBuild
    private let table: JoinTable
    private let store: RowStore
    private let keys: [RowExpression]
    private let residual: RowPredicate?
    /// For mark joins: the residual's three values.
    private let markResidual: RowExpression?
    private let comparer: RowComparer?
    private let output: JoinOutput
    private let nullAware: NullAwareMatch?

    // The batch that is being looked up.
    private var batch: Batch?
    private var keyVectors: [Vector] = []
    private var rowCount = 0
    /// Where the walk along the chains stands: the next probe row, and its next build row plus one (0: from the head).
    private var row = 0
    private var chain: UInt32 = 0
    private var headBuffer = Buffer(byteCount: 64)
    private var keyBuffer = Buffer(byteCount: 64)
    private var scratchBuffer = Buffer(byteCount: 64)
    /// One byte a probe row: whether a match was found.
    private var matchedBuffer = Buffer(byteCount: 64)
    private let pairs = JoinPairs()

    init(
        node: PhysicalNode, layout: JoinLayout, build: JoinBuild, downstream: PushOperator, driver: DriverContext
    ) throws {
        let task = driver.task
        self.layout = layout
        self.build = build
        table = build.table
        store = build.store
        keys = try layout.plan.leftKeys.map { try RowExpression($0, task: task) }
        residual = try layout.residual.map { try RowPredicate($0, task: task) }
        markResidual = try layout.kind == .mark ? layout.residual.map { try RowExpression($0, task: task) } : nil
        if case .hashed = table.form { comparer = RowComparer(store: store, layout: layout) } else { comparer = nil }
        output = JoinOutput(layout: layout, store: store)
        nullAware = build.nulls.map { NullAwareMatch(build.store, $0, layout: layout) }
        super.init(node: node, downstream: downstream, driver: driver)
    }

    // MARK: - Looking up

    override func process(_ batch: Batch) throws {
        self.batch = batch
        rowCount = batch.rowCount
        keyVectors = try keys.map { try $0.evaluate(batch) }
        growScratch(rowCount)
        lookUp()
        memset(matchedBuffer.base, 0, rowCount)
        row = 0
        chain = 0
        try walk()
    }

    override func resume() throws { try walk() }

    private func growScratch(_ count: Int) {
        if headBuffer.byteCount >= count * 4 { return }
        headBuffer = Buffer(byteCount: count * 4)
        keyBuffer = Buffer(byteCount: count * 8)
        scratchBuffer = Buffer(byteCount: count * 8)
        matchedBuffer = Buffer(byteCount: count)
    }

    private var heads: UnsafeMutablePointer<UInt32> { headBuffer.base.assumingMemoryBound(to: UInt32.self) }
    private var matched: UnsafeMutablePointer<UInt8> { matchedBuffer.base.assumingMemoryBound(to: UInt8.self) }

    /// Sets `heads[row]` to the first build row of the row's key, plus one.
    private func lookUp() {
        let packed = keyBuffer.base.assumingMemoryBound(to: UInt64.self)
        switch table.form {
        case .direct(let packing), .packed(let packing):
            packing.pack(
                keyVectors, count: rowCount, into: packed,
                scratch: scratchBuffer.base.assumingMemoryBound(to: Int64.self))
            table.lookUpPacked(packed, count: rowCount, into: heads)
        case .hashed:
            keyVectors = keyVectors.map { $0.flattened() }
            for (index, key) in keyVectors.enumerated() { Hashing.hash(key, into: packed, combining: index > 0) }
            lookUpHashed(packed)
        }
        for (index, key) in keyVectors.enumerated() where key.mayHaveNulls && !layout.plan.nullsAreEqual[index] {
            let heads = self.heads
            for row in 0..<rowCount where key.isNull(row) { heads[row] = 0 }
        }
    }

    /// Open addressing with salts: candidates whose salt agrees are compared in rounds, all rows at once.
    private func lookUpHashed(_ hashes: UnsafePointer<UInt64>) {
        guard let comparer else { return }
        let slots = table.hashedSlots
        let mask = table.slotMask
        let region = SlotRegion.whole(mask: mask, parts: table.insertParts)
        let heads = self.heads
        let positions = scratchBuffer.base.assumingMemoryBound(to: UInt64.self)
        // Rows that still look for their key, at most a batch's worth.
        let waiting = Selection(capacity: rowCount)
        let candidates = Buffer(byteCount: (rowCount + 1) * 4)
        let builds = candidates.base.assumingMemoryBound(to: UInt32.self)
        let picked = Selection(capacity: rowCount)
        var row = 0
        while row < rowCount {
            heads[row] = 0
            positions[row] = hashes[row] & mask
            waiting.rows[row] = UInt16(truncatingIfNeeded: row)
            row &+= 1
        }
        var waitingCount = rowCount
        while waitingCount > 0 {
            var candidateCount = 0
            var index = 0
            while index < waitingCount {
                let row = Int(waiting.rows[index])
                let salt = hashes[row] & 0xFFFF_0000_0000_0000
                var slot = positions[row]
                var entry = slots[Int(truncatingIfNeeded: slot)]
                while entry != 0 && entry & 0xFFFF_0000_0000_0000 != salt {
                    slot = region.following(slot)
                    entry = slots[Int(truncatingIfNeeded: slot)]
                }
                if entry != 0 {
                    picked.rows[candidateCount] = UInt16(truncatingIfNeeded: row)
                    builds[candidateCount] = UInt32(truncatingIfNeeded: entry) &- 1
                    candidateCount &+= 1
                    positions[row] = region.following(slot)
                }
                index &+= 1
            }
            // Those with equal keys are done; the others go on behind the slot that they looked at.
            let offered = candidateCount
            var next = 0
            while next < offered {
                heads[Int(picked.rows[next])] = 0
                waiting.rows[next] = picked.rows[next]
                next &+= 1
            }
            let kept = comparer.filter(keyVectors, probeRows: picked.rows, buildRows: builds, count: offered)
            index = 0
            while index < kept {
                heads[Int(picked.rows[index])] = builds[index] &+ 1
                index &+= 1
            }
            waitingCount = 0
            index = 0
            while index < offered {
                let row = waiting.rows[index]
                if heads[Int(row)] == 0 {
                    waiting.rows[waitingCount] = row
                    waitingCount &+= 1
                }
                index &+= 1
            }
        }
    }

    // MARK: - Walking

    private func walk() throws {
        // Semi, anti and mark joins without a residual need no pairs: a head says all.
        if residual == nil, build.matched == nil, wantsOnlyMatches {
            let heads = self.heads
            let matched = self.matched
            var row = 0
            while row < rowCount {
                matched[row] = unsafeBitCast(heads[row] != 0, to: UInt8.self)
                row &+= 1
            }
            return try finishBatch()
        }
        guard let batch else { return }
        while collectPairs() {
            try givePairs(batch)
            if row < rowCount {
                hasPendingOutput = true
                return
            }
        }
        hasPendingOutput = false
        try finishBatch()
    }

    private var wantsOnlyMatches: Bool {
        switch layout.kind {
        case .semi, .anti, .mark: true
        case .inner, .left, .right, .full, .single, .rightSemi, .rightAnti: false
        }
    }

    /// Fills the pair lists; `false` if there are none left.
    private func collectPairs() -> Bool {
        let heads = self.heads
        let next = table.next
        let probeRows = pairs.probe.rows
        let buildRows = pairs.build
        var count = 0
        if !table.hasDuplicates {
            while row < rowCount && count < JoinPairs.capacity {
                probeRows[count] = UInt16(truncatingIfNeeded: row)
                buildRows[count] = heads[row] &- 1
                count &+= Int(unsafeBitCast(heads[row] != 0, to: UInt8.self))
                row &+= 1
            }
        } else {
            var current = chain
            while count < JoinPairs.capacity {
                if current == 0 {
                    while row < rowCount && heads[row] == 0 { row &+= 1 }
                    if row >= rowCount { break }
                    current = heads[row]
                }
                probeRows[count] = UInt16(truncatingIfNeeded: row)
                buildRows[count] = current &- 1
                count &+= 1
                current = next[Int(current &- 1)]
                if current == 0 { row &+= 1 }
            }
            chain = current
        }
        pairs.count = count
        pairs.probe.count = count
        return count > 0
    }

    private func givePairs(_ batch: Batch) throws {
        if let markResidual {
            keepTrue(try markResidual.evaluate(output.residualBatch(batch, pairs)).flattened())
        } else if let residual {
            let candidates = output.residualBatch(batch, pairs)
            if let kept = try residual.select(candidates) { compact(kept) }
        }
        try noteMatches()
        switch layout.kind {
        case .inner, .left, .right, .full, .single:
            if pairs.count > 0 { try emit(output.joined(batch, pairs)) }
        case .semi, .anti, .mark, .rightSemi, .rightAnti: break
        }
    }

    /// Keeps the pairs whose residual is true, and notes those for which it is unknown.
    private func keepTrue(_ values: Vector) {
        let kept = Selection(capacity: pairs.count)
        let flags = values.values(UInt8.self)
        for pair in 0..<pairs.count {
            if values.isNull(pair) {
                let row = Int(pairs.probe.rows[pair])
                if matched[row] == 0 { matched[row] = NullAwareMatch.unknown }
            } else if flags[pair] != 0 {
                kept.rows[kept.count] = UInt16(truncatingIfNeeded: pair)
                kept.count += 1
            }
        }
        compact(kept)
    }

    private func compact(_ kept: Selection) {
        let rows = kept.rows
        var index = 0
        while index < kept.count {
            pairs.probe.rows[index] = pairs.probe.rows[Int(rows[index])]
            pairs.build[index] = pairs.build[Int(rows[index])]
            index &+= 1
        }
        pairs.count = kept.count
        pairs.probe.count = kept.count
    }

    private func noteMatches() throws {
        let count = pairs.count
        if let flags = build.matched?.base.assumingMemoryBound(to: UInt8.self) {
            // Drivers may write the same byte at the same time: they write the same value.
            var index = 0
            while index < count {
                flags[Int(pairs.build[index])] = 1
                index &+= 1
            }
        }
        let matched = self.matched
        var repeated: UInt8 = 0
        var index = 0
        while index < count {
            let row = Int(pairs.probe.rows[index])
            repeated |= matched[row] & 1
            matched[row] = 1
            index &+= 1
        }
        if layout.kind == .single && repeated != 0 {
            throw QueryError(
                .cardinalityViolation, "more than one row returned by a subquery used as an expression")
        }
    }

    // MARK: - Rows by whether they matched

    private func finishBatch() throws {
        defer {
            batch = nil
            keyVectors = []
        }
        guard let batch else { return }
        switch layout.kind {
        case .inner, .right, .rightSemi, .rightAnti: return
        case .left, .full, .single:
            let rows = selection(matchedValue: 0)
            if rows.count > 0 { try emit(output.unmatchedLeft(batch, rows)) }
        case .semi:
            let rows = selection(matchedValue: 1)
            if rows.count > 0 { try emit(output.left(batch.selecting(rows))) }
        case .anti:
            if let nullAware { nullAware.addUnknown(keyVectors, matched: matched, count: rowCount) }
            let rows = selection(matchedValue: 0)
            if rows.count > 0 { try emit(output.left(batch.selecting(rows))) }
        case .mark:
            if let nullAware { nullAware.addUnknown(keyVectors, matched: matched, count: rowCount) }
            try emit(output.marked(batch, matched: matched))
        }
    }

    private func selection(matchedValue: UInt8) -> Selection {
        let result = Selection(capacity: rowCount)
        let rows = result.rows
        let matched = self.matched
        var count = 0
        var row = 0
        while row < rowCount {
            rows[count] = UInt16(truncatingIfNeeded: row)
            count &+= Int(unsafeBitCast(matched[row] == matchedValue, to: UInt8.self))
            row &+= 1
        }
        result.count = count
        return result
    }
}

/// NOT IN and mark joins: rows without a match whose comparison with some build row is unknown. The first key is the one
/// whose NULLs make it unknown; further keys come from correlation and simply do not match.
private final class NullAwareMatch {
    /// What `addUnknown` puts into the match flags: neither 0 (no match) nor 1.
    static let unknown: UInt8 = 2
    private let store: RowStore
    private let layout: JoinLayout
    private let nulls: JoinBuild.NullKeys

    init(_ store: RowStore, _ nulls: JoinBuild.NullKeys, layout: JoinLayout) {
        self.store = store
        self.layout = layout
        self.nulls = nulls
    }

    func addUnknown(_ keys: [Vector], matched: UnsafeMutablePointer<UInt8>, count: Int) {
        if nulls.isEmpty { return }
        let needle = keys[0]
        if !nulls.areThere && !needle.mayHaveNulls { return }
        let hasOneKey = layout.keyPositions.count == 1
        let flat = keys.map { $0.flattened() }
        for row in 0..<count where matched[row] == 0 {
            if needle.isNull(row) {
                if hasOneKey || (0..<store.rowCount).contains(where: { agrees(flat, row, $0) }) {
                    matched[row] = Self.unknown
                }
            } else if hasOneKey ? nulls.areThere : nulls.rows.contains(where: { agrees(flat, row, $0) }) {
                matched[row] = Self.unknown
            }
        }
    }

    /// Whether the keys behind the first are equal.
    private func agrees(_ keys: [Vector], _ row: Int, _ buildRow: Int) -> Bool {
        for index in layout.keyPositions.indices.dropFirst() {
            let column = store.columns[layout.keyPositions[index]]
            if !equalValues(keys[index], row, column, buildRow, layout.plan.nullsAreEqual[index]) { return false }
        }
        return true
    }
}
