// Dimensions of arrays: lengths and lower bounds.

import Diagnostics

/// The dimensions of an array; none of an empty one. Elements lie row by row, the last dimension running fastest.
package struct ArrayShape: Hashable, Sendable {
    package struct Dimension: Hashable, Sendable {
        package var length: Int
        package var lower: Int
        package var upper: Int { lower + length - 1 }
        package init(length: Int, lower: Int = 1) {
            self.length = length
            self.lower = lower
        }
    }
    package var dimensions: [Dimension]

    /// Elements beyond this are refused, as PostgreSQL does.
    package static let elementCountMax = 134_217_727
    package static let dimensionCountMax = 6

    package init(_ dimensions: [Dimension]) {
        self.dimensions = dimensions.contains { $0.length == 0 } ? [] : dimensions
    }
    /// One dimension with subscripts from 1.
    package init(count: Int) { self.init(count == 0 ? [] : [Dimension(length: count)]) }

    package var count: Int { dimensions.isEmpty ? 0 : dimensions.reduce(1) { $0 * $1.length } }
    /// Whether the number of elements says everything.
    package var isPlain: Bool { dimensions.isEmpty || dimensions.count == 1 && dimensions[0].lower == 1 }

    /// The place of the element with these subscripts; `nil` if there is none.
    package func offset(_ subscripts: [Int]) -> Int? {
        guard subscripts.count == dimensions.count, !dimensions.isEmpty else { return nil }
        var offset = 0
        for (value, dimension) in zip(subscripts, dimensions) {
            let place = value - dimension.lower
            guard place >= 0, place < dimension.length else { return nil }
            offset = offset * dimension.length + place
        }
        return offset
    }

    /// The elements between bounds, and the shape they make, which begins at 1. Dimensions without bounds are whole.
    package func slice(_ bounds: [(lower: Int, upper: Int)]) -> (places: [Int], shape: ArrayShape) {
        let nothing = ([Int](), ArrayShape([]))
        if dimensions.isEmpty || bounds.count > dimensions.count { return nothing }
        var ranges: [Range<Int>] = []
        for (index, dimension) in dimensions.enumerated() {
            guard index < bounds.count else {
                ranges.append(0..<dimension.length)
                continue
            }
            let low = max(bounds[index].lower, dimension.lower)
            let high = min(bounds[index].upper, dimension.upper)
            if low > high { return nothing }
            ranges.append((low - dimension.lower)..<(high - dimension.lower + 1))
        }
        var places = [0]
        for (range, dimension) in zip(ranges, dimensions) {
            places = places.flatMap { place in range.map { place * dimension.length + $0 } }
        }
        return (places, ArrayShape(ranges.map { Dimension(length: $0.count) }))
    }

    /// Which of two arrays with equal elements comes first.
    package func compare(_ other: ArrayShape) -> Int {
        if dimensions.count != other.dimensions.count { return dimensions.count - other.dimensions.count }
        for (own, theirs) in zip(dimensions, other.dimensions) where own.length != theirs.length {
            return own.length - theirs.length
        }
        for (own, theirs) in zip(dimensions, other.dimensions) where own.lower != theirs.lower {
            return own.lower - theirs.lower
        }
        return 0
    }

    /// 54000 for more elements or dimensions than there may be.
    package func checked() throws -> ArrayShape {
        if dimensions.count > Self.dimensionCountMax {
            throw QueryError(
                .programLimitExceeded,
                "number of array dimensions (\(dimensions.count)) exceeds the maximum allowed "
                    + "(\(Self.dimensionCountMax))")
        }
        var count = 1
        for dimension in dimensions {
            let (product, overflow) = count.multipliedReportingOverflow(by: dimension.length)
            if overflow || product > Self.elementCountMax {
                throw QueryError(
                    .programLimitExceeded, "array size exceeds the maximum allowed (\(Self.elementCountMax))")
            }
            count = product
            if dimension.upper > Int(Int32.max) {
                throw QueryError(.programLimitExceeded, "array upper bound is too large: \(dimension.upper)")
            }
        }
        return self
    }
}
