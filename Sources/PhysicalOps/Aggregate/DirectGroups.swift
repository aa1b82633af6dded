// A cache in front of the hash table for keys with few values: dictionary codes and small integers index an array of
// group pointers.

import Columnar

/// Every key column gives a small number: its code in a dictionary, its distance from a base, its truth value. Their
/// mixed-radix combination indexes `groups`. A pointer that is missing is looked up once in the hash table and remembered;
/// when a dictionary changes, all are forgotten. Null is the last number of an integer column. Confined to one thread.
final class DirectGroups {
    enum Answer {
        /// All groups are set.
        case allFound
        /// Groups are missing; the first n rows in `missing` have one of them each.
        case missing(Int)
        /// The hash table must do the whole batch.
        case unsuitable
    }

    /// Pointers that the array has at most.
    static let sizeMax = 1 << 16
    /// Batches that may be unsuitable one after the other before the cache is given up.
    private static let patience = 4

    private struct Column {
        var dictionary: Vector?
        var base: Int64 = 0
        /// Numbers that the column gives; 0: not known yet.
        var range = 0
        var isInteger = false
    }

    private var columns: [Column]
    private let physical: [PhysicalType]
    private var size = 0
    private var groups = Buffer(byteCount: 8)
    private let indexes: UnsafeMutablePointer<Int>
    /// Rows whose group was missing in the last batch.
    private let missingRows: UnsafeMutablePointer<UInt16>
    private var missingCount = 0
    /// Stands for a group that is being looked up.
    private static let pending: UInt = 1
    private var failures = 0
    private(set) var isDisabled = false

    init(layout: GroupLayout) {
        physical = layout.physical
        columns = physical.map { _ in Column() }
        indexes = .allocate(capacity: GroupTable.chunkRows)
        missingRows = .allocate(capacity: GroupTable.chunkRows)
        isDisabled = columns.count > 8
    }

    deinit {
        indexes.deallocate()
        missingRows.deallocate()
    }

    func lookUp(
        _ keys: [Vector], count: Int, groups target: UnsafeMutablePointer<UnsafeMutableRawPointer>,
        missing: UnsafeMutablePointer<UInt16>
    ) -> Answer {
        if isDisabled { return .unsuitable }
        guard prepare(keys, count: count) else {
            failures += 1
            isDisabled = failures >= DirectGroups.patience
            return .unsuitable
        }
        failures = 0
        number(keys, count: count)
        let known = groups.base.assumingMemoryBound(to: UInt.self)
        let addresses = UnsafeMutableRawPointer(target).assumingMemoryBound(to: UInt.self)
        var missingCount = 0
        var row = 0
        while row < count {
            let address = known[indexes[row]]
            addresses[row] = address
            missingRows[missingCount] = UInt16(truncatingIfNeeded: row)
            missingCount &+= Int(unsafeBitCast(address == 0, to: UInt8.self))
            row &+= 1
        }
        self.missingCount = missingCount
        if missingCount == 0 { return .allFound }
        // With a new dictionary all rows miss, though they have few combinations.
        var firstCount = 0
        var index = 0
        while index < missingCount {
            let row = missingRows[index]
            let place = indexes[Int(row)]
            if known[place] == 0 {
                known[place] = DirectGroups.pending
                missing[firstCount] = row
                firstCount &+= 1
            }
            index &+= 1
        }
        return .missing(firstCount)
    }

    /// Keeps the groups of rows that were missing, and sets those of all rows that have the same.
    func remember(
        rows: UnsafePointer<UInt16>, count: Int, groups found: UnsafeMutablePointer<UnsafeMutableRawPointer>
    ) {
        let known = groups.base.assumingMemoryBound(to: UInt.self)
        var index = 0
        while index < count {
            let row = Int(rows[index])
            known[indexes[row]] = UInt(bitPattern: found[row])
            index &+= 1
        }
        let addresses = UnsafeMutableRawPointer(found).assumingMemoryBound(to: UInt.self)
        index = 0
        while index < missingCount {
            let row = Int(missingRows[index])
            addresses[row] = known[indexes[row]]
            index &+= 1
        }
    }

    /// Groups have moved or the table has forgotten them.
    func forgetGroups() {
        if size > 0 { groups.base.initializeMemory(as: UInt.self, repeating: 0, count: size) }
    }

    // MARK: Preparation

    /// Makes the array fit the batch's dictionaries and ranges. `false`: it would be too large.
    private func prepare(_ keys: [Vector], count: Int) -> Bool {
        var changed = size == 0
        for index in columns.indices where !prepare(index, keys[index], count: count, changed: &changed) {
            reset()
            return false
        }
        if !changed { return true }
        var product = 1
        for column in columns {
            let (result, overflow) = product.multipliedReportingOverflow(by: column.range)
            product = result
            if overflow || product > DirectGroups.sizeMax {
                reset()
                return false
            }
        }
        if groups.byteCount < product * 8 { groups = Buffer(byteCount: product * 8) }
        size = product
        forgetGroups()
        return true
    }

    private func prepare(_ index: Int, _ key: Vector, count: Int, changed: inout Bool) -> Bool {
        switch key.encoding {
        case .dictionary:
            guard key.validity == nil, let entries = key.dictionary else { return false }
            if columns[index].dictionary === entries { return true }
            columns[index] = Column(dictionary: entries, range: max(1, entries.count))
            changed = true
            return true
        case .constant: return adapt(index, key, count: 1, changed: &changed)
        case .flat: return adapt(index, key, count: count, changed: &changed)
        }
    }

    private func reset() {
        for index in columns.indices { columns[index] = Column() }
        size = 0
    }

    /// Widens an integer column's range to the batch's values.
    private func adapt(_ index: Int, _ key: Vector, count: Int, changed: inout Bool) -> Bool {
        guard count > 0, let (minimum, maximum) = bounds(key, count: count) else { return false }
        let column = columns[index]
        if column.isInteger, minimum >= column.base, maximum < column.base + Int64(column.range - 1) { return true }
        var low = minimum
        var high = maximum
        if column.isInteger {
            low = min(low, column.base)
            high = max(high, column.base + Int64(column.range - 2))
        }
        let (width, overflow) = high.subtractingReportingOverflow(low)
        if overflow || width >= Int64(DirectGroups.sizeMax) { return false }
        // One number more for null, and a little room, so that values around the range do not start it anew.
        let margin = physical[index] == .boolean ? 0 : min(width / 4, 1024)
        let (base, underflow) = low.subtractingReportingOverflow(margin)
        if underflow || high.addingReportingOverflow(margin).overflow { return false }
        columns[index] = Column(base: base, range: Int(width + 2 * margin) + 2, isInteger: true)
        changed = true
        return true
    }

    /// Bounds of a flat or constant integer column; rows that are null count as what lies there.
    private func bounds(_ key: Vector, count: Int) -> (Int64, Int64)? {
        switch key.physical {
        case .boolean: return (0, 1)
        case .int8: return integerBounds(key.values(Int8.self), key.validity, count)
        case .int16: return integerBounds(key.values(Int16.self), key.validity, count)
        case .int32: return integerBounds(key.values(Int32.self), key.validity, count)
        case .int64: return integerBounds(key.values(Int64.self), key.validity, count)
        case .int128, .float32, .float64, .interval, .uuid, .view: return nil
        }
    }

    // MARK: Numbering

    private func number(_ keys: [Vector], count: Int) {
        for (position, key) in keys.enumerated() {
            let column = columns[position]
            let isFirst = position == 0
            switch key.encoding {
            case .dictionary: addCodes(key.codes, range: column.range, isFirst: isFirst, count: count)
            case .constant:
                let isNull = key.isNull(0)
                let value = isNull ? column.range - 1 : Int(integer(key) &- column.base)
                var row = 0
                while row < count {
                    indexes[row] = isFirst ? value : indexes[row] &* column.range &+ value
                    row &+= 1
                }
            case .flat:
                switch key.physical {
                case .boolean: add(key.values(UInt8.self), key.validity, column, isFirst, count)
                case .int8: add(key.values(Int8.self), key.validity, column, isFirst, count)
                case .int16: add(key.values(Int16.self), key.validity, column, isFirst, count)
                case .int32: add(key.values(Int32.self), key.validity, column, isFirst, count)
                case .int64: add(key.values(Int64.self), key.validity, column, isFirst, count)
                case .int128, .float32, .float64, .interval, .uuid, .view: break
                }
            }
        }
    }

    private func integer(_ key: Vector) -> Int64 {
        switch key.physical {
        case .boolean: Int64(key.values(UInt8.self)[0])
        case .int8: Int64(key.values(Int8.self)[0])
        case .int16: Int64(key.values(Int16.self)[0])
        case .int32: Int64(key.values(Int32.self)[0])
        case .int64, .int128, .float32, .float64, .interval, .uuid, .view: key.values(Int64.self)[0]
        }
    }

    private func addCodes(_ codes: UnsafePointer<UInt32>, range: Int, isFirst: Bool, count: Int) {
        let indexes = indexes
        var row = 0
        if isFirst {
            while row < count {
                indexes[row] = Int(codes[row])
                row &+= 1
            }
        } else {
            while row < count {
                indexes[row] = indexes[row] &* range &+ Int(codes[row])
                row &+= 1
            }
        }
    }

    @inline(__always)
    private func add<T: FixedWidthInteger>(
        _ values: UnsafePointer<T>, _ validity: UnsafePointer<UInt64>?, _ column: Column, _ isFirst: Bool, _ count: Int
    ) {
        let indexes = indexes
        let base = column.base
        let range = column.range
        let null = range &- 1
        var row = 0
        while row < count {
            var value = Int(truncatingIfNeeded: Int64(truncatingIfNeeded: values[row]) &- base)
            if let validity { value = Validity.isValid(validity, row) ? value : null }
            indexes[row] = isFirst ? value : indexes[row] &* range &+ value
            row &+= 1
        }
    }
}

/// The least and the largest of the values that are not null; two zeros if all are.
@inline(__always)
func integerBounds<T: FixedWidthInteger & SignedInteger>(
    _ values: UnsafePointer<T>, _ validity: UnsafePointer<UInt64>?, _ count: Int
) -> (Int64, Int64) {
    var low = T.max
    var high = T.min
    var row = 0
    if let validity {
        while row < count {
            if Validity.isValid(validity, row) {
                low = min(low, values[row])
                high = max(high, values[row])
            }
            row &+= 1
        }
        if low > high { return (0, 0) }
    } else {
        while row < count {
            low = values[row] < low ? values[row] : low
            high = values[row] > high ? values[row] : high
            row &+= 1
        }
    }
    return (Int64(low), Int64(high))
}
