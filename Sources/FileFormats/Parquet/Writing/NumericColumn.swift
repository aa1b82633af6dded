// Columns of type numeric in a Parquet file, whose decimals have one scale for all values.

import Columnar
import Diagnostics

/// The file's scale is the largest that the first row group needs. A value that comes later and needs more, and one that
/// is not finite, is an error: nothing is rounded.
enum NumericColumn {
    private static let hint = "Cast the column to numeric(p, s) or to double precision."

    /// A decimal that holds the values exactly. Errors: 22003 if 38 digits do not suffice, 0A000 for NaN and infinities.
    static func decimalType(of vectors: [Vector], named name: String) throws -> DataType {
        var scale = 0
        var wholeDigits = 1
        for vector in vectors {
            for row in 0..<vector.count where !vector.isNull(row) {
                let value = try finite(vector, row, name)
                scale = max(scale, value.scaleMin)
                wholeDigits = max(wholeDigits, value.leadingExponent + 1)
            }
        }
        guard wholeDigits + scale <= DataType.decimalPrecisionMax else {
            throw QueryError(
                .numericValueOutOfRange, "the values of column \"\(name)\" need more than 38 digits in a Parquet file",
                hint: hint, object: name)
        }
        return .decimal(precision: DataType.decimalPrecisionMax, scale: scale)
    }

    static func decimals(_ vectors: [Vector], as field: Field) throws -> [Vector] {
        guard case .decimal(let precision, let scale) = field.type else {
            throw QueryError.internalError("a numeric column without a scale")
        }
        return try vectors.map { vector in
            let result = Vector(flat: field.type, capacity: vector.count)
            for row in 0..<vector.count {
                if vector.isNull(row) {
                    result.values(Int128.self)[row] = 0
                    Validity.setNull(result.ensureValidity(), row)
                    continue
                }
                let value = try finite(vector, row, field.name)
                guard value.scaleMin <= scale, let unscaled = value.unscaled(precision: precision, scale: scale) else {
                    throw QueryError(
                        .numericValueOutOfRange,
                        "value \(value.text) of column \"\(field.name)\" does not fit numeric(\(precision),\(scale)), which "
                            + "the first rows of the Parquet file decided about", hint: hint, object: field.name)
                }
                result.values(Int128.self)[row] = unscaled
            }
            return result
        }
    }

    private static func finite(_ vector: Vector, _ row: Int, _ name: String) throws -> NumericValue {
        let (source, index) = vector.position(row)
        let value = NumericBlob.value(source.views + index)
        if value.isFinite { return value }
        throw QueryError.notSupported("writing \(value.text) of the numeric column \"\(name)\" to a Parquet file")
    }
}
