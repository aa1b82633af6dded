// How a group lies in memory: one fixed-width row a group, with the states of its aggregates at the end.

import Columnar
import Diagnostics
import SQLFunctions

/// Row: hash (8 bytes), one null byte a key padded to 8, the keys aligned to their width but at most to 8, the states
/// 8-byte aligned. Rows may be moved bytewise; states are movable in the same way. Text keys are views; long ones point
/// into a heap that the table keeps.
final class GroupLayout: Sendable {
    /// How keys are found.
    enum Packing: Sendable {
        /// All keys fit one word: slots hold the key itself.
        case oneWord
        /// All keys fit two words.
        case twoWords
        /// Slots hold a salt and a pointer; keys are compared in the row.
        case rows
    }
    /// Where a key lies among the packed words.
    struct PackedKey: Sendable {
        var word: Int
        var shift: Int
    }

    let types: [DataType]
    let physical: [PhysicalType]
    let nullOffset = 8
    let nullWordCount: Int
    let keyOffsets: [Int]
    let executors: [any AggregateExecutor]
    let stateOffsets: [Int]
    let rowByteCount: Int
    let packing: Packing
    let packedKeys: [PackedKey]
    let needsDestroy: Bool
    let hasViews: Bool

    init(types: [DataType], executors: [any AggregateExecutor]) {
        self.types = types
        self.executors = executors
        physical = types.map(\.physical)
        nullWordCount = (types.count + 7) / 8
        var offset = nullOffset + nullWordCount * 8
        var keys: [Int] = []
        for type in physical {
            let alignment = min(8, type.width)
            offset = (offset + alignment - 1) / alignment * alignment
            keys.append(offset)
            offset += type.width
        }
        keyOffsets = keys
        var states: [Int] = []
        for executor in executors {
            offset = (offset + 7) / 8 * 8
            states.append(offset)
            offset += executor.stateByteCount
        }
        stateOffsets = states
        rowByteCount = (offset + 7) / 8 * 8
        needsDestroy = executors.contains { $0.needsDestroy }
        hasViews = physical.contains(.view)
        (packing, packedKeys) = GroupLayout.pack(physical)
    }

    /// Lays keys into one or two words, if they fit and equal keys have equal bytes.
    private static func pack(_ types: [PhysicalType]) -> (Packing, [PackedKey]) {
        var used = [0, 0]
        var keys: [PackedKey] = []
        // The slots' tags have 16 bits for the null flags.
        guard types.count <= 16 else { return (.rows, []) }
        for type in types {
            switch type {
            case .view, .interval: return (.rows, [])
            case .int128, .uuid:
                guard used == [0, 0] else { return (.rows, []) }
                used = [64, 64]
                keys.append(PackedKey(word: 0, shift: 0))
            case .boolean, .int8, .int16, .int32, .int64, .float32, .float64:
                let bits = type.width * 8
                guard let word = used.firstIndex(where: { $0 + bits <= 64 }) else { return (.rows, []) }
                keys.append(PackedKey(word: word, shift: used[word]))
                used[word] += bits
            }
        }
        return (used[1] == 0 ? .oneWord : .twoWords, keys)
    }

    /// Makes the states of new rows.
    func initializeStates(_ rows: UnsafePointer<UnsafeMutableRawPointer>, count: Int) {
        if count == 0 { return }
        for (executor, offset) in zip(executors, stateOffsets) {
            executor.initialize(rows, offset: offset, count: count)
        }
    }

    func destroyStates(_ rows: UnsafePointer<UnsafeMutableRawPointer>, count: Int) {
        if count == 0 { return }
        for (executor, offset) in zip(executors, stateOffsets) where executor.needsDestroy {
            executor.destroy(rows, offset: offset, count: count)
        }
    }
}

/// The hash of a row, which lies at its start.
@inline(__always)
func rowHash(_ row: UnsafeMutableRawPointer) -> UInt64 { row.load(as: UInt64.self) }

/// A pointer without the 16 tag bits above it.
@inline(__always)
func rowPointer(_ entry: UInt64) -> UnsafeMutableRawPointer {
    UnsafeMutableRawPointer(bitPattern: UInt(entry & 0x0000_FFFF_FFFF_FFFF)).unsafelyUnwrapped
}
