// Nodes that evaluate operands only for the rows that need them: AND, OR, CASE and COALESCE.

import Columnar
import Diagnostics
import QueryPlan

/// Costs above which an operand is worth skipping for rows that are decided already.
private let skippableCost = 8

/// AND or OR.
final class LogicNode: EvaluationNode {
    private let operands: [EvaluationNode]
    private let isAnd: Bool
    /// Operands that are cheap and cannot fail: evaluated for all rows.
    private let cheap: [EvaluationNode]
    /// The others: evaluated in order for the rows that are undecided.
    private let costly: [EvaluationNode]

    init(_ operands: [EvaluationNode], isAnd: Bool) {
        self.operands = operands
        self.isAnd = isAnd
        cheap = operands.filter { !$0.canFail && !$0.isVolatile && $0.cost <= skippableCost }
        costly = operands.filter { $0.canFail || $0.isVolatile || $0.cost > skippableCost }
            // Those that cannot fail may be moved: the cheapest first. Those that can stay in their order behind them.
            .enumerated().sorted { a, b in
                let failA = a.element.canFail || a.element.isVolatile
                let failB = b.element.canFail || b.element.isVolatile
                if failA != failB { return !failA }
                if failA || a.element.cost == b.element.cost { return a.offset < b.offset }
                return a.element.cost < b.element.cost
            }.map(\.element)
        super.init(
            type: .boolean, canFail: operands.contains(where: \.canFail), cost: operands.reduce(0) { $0 + $1.cost },
            isVolatile: operands.contains(where: \.isVolatile))
    }

    override func select(in frame: EvaluationFrame) throws -> Selection? {
        if memoSlot >= 0, frame.inherited(memoSlot) != nil { return try super.select(in: frame) }
        return isAnd ? try selectAnd(frame) : try selectOr(frame)
    }

    private func selectAnd(_ outer: EvaluationFrame) throws -> Selection? {
        var frame = outer
        var total: Selection?
        func narrow(_ selection: Selection?) {
            guard let selection else { return }
            total = total?.composed(with: selection) ?? selection
            frame = EvaluationFrame(parent: frame, selection: selection)
        }
        if !cheap.isEmpty {
            let vectors = try cheap.map { try $0.value(in: frame) }
            narrow(BooleanVector.selection(of: BooleanVector.combine(vectors, isAnd: true, count: frame.count)))
        }
        for operand in costly {
            if frame.count == 0 { break }
            narrow(try operand.select(in: frame))
        }
        return total
    }

    private func selectOr(_ frame: EvaluationFrame) throws -> Selection? {
        // One pass over flags: rows that are true leave the frame of the later operands.
        let count = frame.count
        let buffer = Buffer(byteCount: max(1, count))
        let flags = buffer.base.assumingMemoryBound(to: UInt8.self)
        var remaining: Selection?
        var inner = frame
        flags.update(repeating: 0, count: count)
        func mark(_ found: Selection?) -> Bool {
            guard let found else {
                if let remaining {
                    for index in 0..<remaining.count { flags[Int(remaining.rows[index])] = 1 }
                } else {
                    flags.update(repeating: 1, count: count)
                }
                return true
            }
            let outerRows = remaining
            for index in 0..<found.count {
                let row = Int(found.rows[index])
                flags[outerRows.map { Int($0.rows[row]) } ?? row] = 1
            }
            return false
        }
        func shrink() {
            let rest = Selection(capacity: count)
            let rows = rest.rows
            var kept = 0
            var row = 0
            while row < count {
                rows[kept] = UInt16(truncatingIfNeeded: row)
                kept &+= Int(flags[row] ^ 1)
                row &+= 1
            }
            rest.count = kept
            if kept < count {
                remaining = rest
                inner = EvaluationFrame(parent: frame, selection: rest)
            }
        }
        if !cheap.isEmpty {
            let vectors = try cheap.map { try $0.value(in: frame) }
            let selection = BooleanVector.selection(of: BooleanVector.combine(vectors, isAnd: false, count: count))
            if costly.isEmpty || selection == nil { return selection }
            _ = mark(selection)
            shrink()
        }
        for operand in costly {
            if inner.count == 0 { break }
            if mark(try operand.select(in: inner)) { break }
            shrink()
        }
        let result = Selection(capacity: count + 8)
        result.count = BooleanVector.compact(flags, count, into: result.rows)
        return result.count == count ? nil : result
    }

    override func compute(in frame: EvaluationFrame) throws -> Vector {
        let count = frame.count
        if count == 0 { return Vector(flat: .boolean, capacity: 0) }
        if costly.isEmpty || (operands.count == 1) {
            return BooleanVector.combine(try operands.map { try $0.value(in: frame) }, isAnd: isAnd, count: count)
        }
        let result = BooleanVector.filled(isAnd, count: count)
        let values = result.values(UInt8.self)
        let nullBuffer = Buffer(byteCount: count)
        let nulls = nullBuffer.base.assumingMemoryBound(to: UInt8.self)
        nulls.update(repeating: 0, count: count)
        let absorbing: UInt8 = isAnd ? 0 : 1
        var undecided: Selection?
        var hasNulls = false
        for operand in cheap + costly {
            let inner = undecided.map { EvaluationFrame(parent: frame, selection: $0) } ?? frame
            let vector = try operand.value(in: inner).flattened()
            let source = vector.values(UInt8.self)
            let rest = Selection(capacity: inner.count)
            var kept = 0
            for position in 0..<inner.count {
                let row = undecided.map { Int($0.rows[position]) } ?? position
                if let validity = vector.validity, !Validity.isValid(validity, position) {
                    nulls[row] = 1
                    hasNulls = true
                } else if source[position] == absorbing {
                    values[row] = absorbing
                    nulls[row] = 0
                    continue
                }
                rest.rows[kept] = UInt16(truncatingIfNeeded: row)
                kept &+= 1
            }
            rest.count = kept
            if kept == 0 { break }
            if kept < inner.count || undecided != nil { undecided = rest }
        }
        if hasNulls {
            let words = result.ensureValidity()
            for row in 0..<count where nulls[row] != 0 && values[row] != absorbing { Validity.setNull(words, row) }
        }
        return result
    }
}

/// Puts results for some of the rows together into one flat vector.
struct VectorAssembler {
    let result: Vector
    private let count: Int

    init(type: DataType, count: Int) {
        result = Vector(flat: type, capacity: count)
        self.count = count
    }

    /// Writes `source` to the rows that `selection` names; `nil`: to all.
    func put(_ source: Vector, at selection: Selection?) {
        let source = source.encoding == .dictionary ? source.flattened() : source
        switch result.physical.width {
        case 1: put(source, selection, UInt8.self)
        case 2: put(source, selection, UInt16.self)
        case 4: put(source, selection, UInt32.self)
        case 8: put(source, selection, UInt64.self)
        default: put(source, selection, SIMD2<UInt64>.self)
        }
        if result.physical == .view { result.pinned += source.pinned + [source.dataOwner] }
        guard source.validity != nil else { return }
        let words = result.ensureValidity()
        for position in 0..<source.count where source.isNull(position) {
            Validity.setNull(words, selection.map { Int($0.rows[position]) } ?? position)
        }
    }

    @inline(__always)
    private func put<T>(_ source: Vector, _ selection: Selection?, _: T.Type) {
        let values = source.values(T.self)
        let target = result.values(T.self)
        let number = selection?.count ?? count
        guard let selection else {
            if source.encoding == .constant {
                target.update(repeating: values[0], count: number)
            } else {
                target.update(from: values, count: number)
            }
            return
        }
        let rows = selection.rows
        var position = 0
        if source.encoding == .constant {
            let value = values[0]
            while position < number {
                target[Int(rows[position])] = value
                position &+= 1
            }
        } else {
            while position < number {
                target[Int(rows[position])] = values[position]
                position &+= 1
            }
        }
    }
}

/// Searched CASE.
final class ConditionalNode: EvaluationNode {
    private let branches: [(condition: EvaluationNode, result: EvaluationNode)]
    private let otherwise: EvaluationNode
    /// One branch whose results are cheap and cannot fail: both are computed for all rows and blended.
    private let blends: Bool

    init(_ branches: [(condition: EvaluationNode, result: EvaluationNode)], otherwise: EvaluationNode, type: DataType) {
        self.branches = branches
        self.otherwise = otherwise
        let all = branches.flatMap { [$0.condition, $0.result] } + [otherwise]
        let isSafe = !all.contains { $0.canFail || $0.isVolatile }
        blends =
            branches.count == 1 && isSafe && type.physical != .view && branches[0].result.cost + otherwise.cost <= 6
        super.init(
            type: type, canFail: all.contains(where: \.canFail), cost: all.reduce(1) { $0 + $1.cost },
            isVolatile: all.contains(where: \.isVolatile))
    }

    override func compute(in frame: EvaluationFrame) throws -> Vector {
        let count = frame.count
        if count == 0 { return Vector(flat: type, capacity: 0) }
        if blends {
            let condition = try branches[0].condition.value(in: frame)
            if condition.encoding == .constant {
                let isTrue = !condition.isNull(0) && condition.values(UInt8.self)[0] != 0
                return retyped(try (isTrue ? branches[0].result : otherwise).value(in: frame))
            }
            let chosen = try branches[0].result.value(in: frame)
            let other = try otherwise.value(in: frame)
            if !condition.mayHaveNulls && !chosen.mayHaveNulls && !other.mayHaveNulls {
                return blend(condition.flattened(), chosen, other, count)
            }
        }
        let assembler = VectorAssembler(type: type, count: count)
        var remaining: Selection?
        var inner = frame
        for branch in branches {
            let selected = try branch.condition.select(in: inner)
            guard let selected else {
                let result = try branch.result.value(in: inner)
                if remaining == nil { return retyped(result) }
                assembler.put(result, at: remaining)
                return assembler.result
            }
            if selected.count == 0 { continue }
            let rows = remaining?.composed(with: selected) ?? selected
            assembler.put(try branch.result.value(in: EvaluationFrame(parent: inner, selection: selected)), at: rows)
            let rest = ConditionalNode.complement(of: selected, count: inner.count)
            remaining = remaining?.composed(with: rest) ?? rest
            inner = EvaluationFrame(parent: inner, selection: rest)
        }
        let result = try otherwise.value(in: inner)
        if remaining == nil { return retyped(result) }
        assembler.put(result, at: remaining)
        return assembler.result
    }

    private func retyped(_ vector: Vector) -> Vector { vector.type == type ? vector : vector.retyped(type) }

    /// Rows of 0…count-1 that are not selected.
    static func complement(of selection: Selection, count: Int) -> Selection {
        let rest = Selection(capacity: count)
        var kept = 0
        var next = 0
        for row in 0..<count {
            if next < selection.count && Int(selection.rows[next]) == row {
                next &+= 1
            } else {
                rest.rows[kept] = UInt16(truncatingIfNeeded: row)
                kept &+= 1
            }
        }
        rest.count = kept
        return rest
    }

    private func blend(_ condition: Vector, _ a: Vector, _ b: Vector, _ count: Int) -> Vector {
        let x = a.encoding == .dictionary ? a.flattened() : a
        let y = b.encoding == .dictionary ? b.flattened() : b
        let result = Vector(flat: type, capacity: count)
        let flags = UnsafePointer(condition.values(UInt8.self))
        switch type.physical.width {
        case 1: blend(flags, x, y, result, count, UInt8.self)
        case 2: blend(flags, x, y, result, count, UInt16.self)
        case 4: blend(flags, x, y, result, count, UInt32.self)
        case 8: blend(flags, x, y, result, count, UInt64.self)
        default: blend(flags, x, y, result, count, UInt128.self)
        }
        return result
    }

    @inline(__always)
    private func blend<T: FixedWidthInteger>(
        _ flags: UnsafePointer<UInt8>, _ a: Vector, _ b: Vector, _ result: Vector, _ count: Int, _: T.Type
    ) {
        let target = result.values(T.self)
        let x = UnsafePointer(a.values(T.self))
        let y = UnsafePointer(b.values(T.self))
        var row = 0
        switch (a.encoding == .constant, b.encoding == .constant) {
        case (false, false):
            while row < count {
                target[row] = flags[row] != 0 ? x[row] : y[row]
                row &+= 1
            }
        case (false, true):
            let constant = y[0]
            while row < count {
                target[row] = flags[row] != 0 ? x[row] : constant
                row &+= 1
            }
        case (true, false):
            let constant = x[0]
            while row < count {
                target[row] = flags[row] != 0 ? constant : y[row]
                row &+= 1
            }
        case (true, true):
            let first = x[0]
            let second = y[0]
            while row < count {
                target[row] = flags[row] != 0 ? first : second
                row &+= 1
            }
        }
    }
}

/// COALESCE.
final class CoalesceNode: EvaluationNode {
    private let operands: [EvaluationNode]
    init(_ operands: [EvaluationNode], type: DataType) {
        self.operands = operands
        super.init(
            type: type, canFail: operands.contains(where: \.canFail), cost: operands.reduce(1) { $0 + $1.cost },
            isVolatile: operands.contains(where: \.isVolatile))
    }

    override func compute(in frame: EvaluationFrame) throws -> Vector {
        let count = frame.count
        if count == 0 { return Vector(flat: type, capacity: 0) }
        var assembler: VectorAssembler?
        var remaining: Selection?
        var inner = frame
        for (index, operand) in operands.enumerated() {
            let vector = try operand.value(in: inner)
            let isLast = index == operands.count - 1
            if assembler == nil, isLast || !vector.mayHaveNulls {
                return vector.type == type ? vector : vector.retyped(type)
            }
            if vector.encoding == .constant && vector.isNull(0) && !isLast { continue }
            let missing = Selection(capacity: inner.count)
            if vector.mayHaveNulls && !isLast {
                var kept = 0
                for row in 0..<inner.count where vector.isNull(row) {
                    missing.rows[kept] = UInt16(truncatingIfNeeded: row)
                    kept &+= 1
                }
                missing.count = kept
                if kept == 0 && assembler == nil { return vector.type == type ? vector : vector.retyped(type) }
            }
            if assembler == nil { assembler = VectorAssembler(type: type, count: count) }
            if missing.count == 0 {
                assembler?.put(vector, at: remaining)
                break
            }
            let present = ConditionalNode.complement(of: missing, count: inner.count)
            assembler?.put(vector.gathered(present), at: remaining?.composed(with: present) ?? present)
            remaining = remaining?.composed(with: missing) ?? missing
            inner = EvaluationFrame(parent: inner, selection: missing)
        }
        guard let assembler else { return .constant(.null, type: type, count: count) }
        return assembler.result
    }
}
