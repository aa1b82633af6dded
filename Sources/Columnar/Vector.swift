// Vectors: one column of a batch, in one of three encodings.

/// A column of `count` values. Immutable once its maker has handed it on; that is why it may cross threads.
///
/// - flat: `data` holds `count` values of `physical`.
/// - constant: `data` holds one value that stands for all rows; validity bit 0 says whether it is null.
/// - dictionary: `data` holds `count` UInt32 codes into `dictionary`, a flat vector. A row is null when its own validity
///   bit is clear or when the entry that it points to is null.
///
/// The value of a null row is arbitrary, but safe to read: views point to valid memory (as a rule they are empty), booleans
/// are 0 or 1, and codes lie within the dictionary. So kernels may compute over all rows and mask afterwards.
package final class Vector: @unchecked Sendable {
    package enum Encoding: UInt8, Sendable { case flat, constant, dictionary }

    package let type: DataType
    package let physical: PhysicalType
    package let encoding: Encoding
    /// Rows. The maker may lower it while it fills the vector.
    package var count: Int
    package let data: UnsafeMutableRawPointer
    /// `nil`: no row is null on its own account.
    package var validity: UnsafeMutablePointer<UInt64>?
    package let dictionary: Vector?

    /// What keeps `data`, `validity` and the bytes of long strings alive.
    package let dataOwner: any AnyObject
    package var validityOwner: (any AnyObject)?
    package var pinned: [any AnyObject]

    /// Hashes of a dictionary's entries, made on first use by `Hashing`, which guards it.
    package var cachedHashes: Buffer?

    package init(
        type: DataType, encoding: Encoding, count: Int, data: UnsafeMutableRawPointer, dataOwner: any AnyObject,
        validity: Buffer? = nil, dictionary: Vector? = nil, pinned: [any AnyObject] = []
    ) {
        self.type = type
        physical = type.physical
        self.encoding = encoding
        self.count = count
        self.data = data
        self.dataOwner = dataOwner
        self.validity = validity?.base.assumingMemoryBound(to: UInt64.self)
        validityOwner = validity
        self.dictionary = dictionary
        self.pinned = pinned
    }

    /// A flat vector with room for `capacity` values, uninitialised, nothing null.
    package convenience init(flat type: DataType, capacity: Int) {
        let buffer = Buffer(byteCount: max(1, capacity) * type.physical.width)
        self.init(type: type, encoding: .flat, count: capacity, data: buffer.base, dataOwner: buffer)
    }

    /// A dictionary vector over `codes` (UInt32 each).
    package convenience init(codes: Buffer, count: Int, dictionary: Vector, validity: Buffer? = nil) {
        self.init(
            type: dictionary.type, encoding: .dictionary, count: count, data: codes.base, dataOwner: codes,
            validity: validity, dictionary: dictionary)
    }

    /// The same values under another type of the same physical layout.
    package func retyped(_ type: DataType) -> Vector {
        precondition(type.physical == physical, "retyping changes the layout")
        if type == self.type { return self }
        let copy = Vector(
            type: type, encoding: encoding, count: count, data: data, dataOwner: dataOwner,
            dictionary: dictionary?.retyped(type), pinned: pinned)
        copy.validity = validity
        copy.validityOwner = validityOwner
        return copy
    }

    /// Typed access to `data`. `T` must be the type of the layout (UInt32 for a dictionary's codes).
    @inlinable package func values<T>(_: T.Type = T.self) -> UnsafeMutablePointer<T> {
        data.assumingMemoryBound(to: T.self)
    }
    /// The codes of a dictionary vector.
    @inlinable package var codes: UnsafeMutablePointer<UInt32> { data.assumingMemoryBound(to: UInt32.self) }
    @inlinable package var views: UnsafeMutablePointer<StringView> { data.assumingMemoryBound(to: StringView.self) }

    /// Whether any row may be null.
    package var mayHaveNulls: Bool { validity != nil || dictionary?.validity != nil }

    /// Makes the validity bitmap writable (all valid) if there is none. For makers.
    @discardableResult
    package func ensureValidity() -> UnsafeMutablePointer<UInt64> {
        if let validity { return validity }
        let buffer = Validity.make(rows: max(count, 1), valid: true)
        validityOwner = buffer
        let words = buffer.base.assumingMemoryBound(to: UInt64.self)
        validity = words
        return words
    }

    /// Whether row `row` is null, in any encoding. For code that is not hot.
    package func isNull(_ row: Int) -> Bool {
        switch encoding {
        case .flat:
            return validity.map { !Validity.isValid($0, row) } ?? false
        case .constant:
            return validity.map { !Validity.isValid($0, 0) } ?? false
        case .dictionary:
            if let validity, !Validity.isValid(validity, row) { return true }
            return dictionary.unsafelyUnwrapped.isNull(Int(codes[row]))
        }
    }

    /// Index into the flat data that row `row` stands for: itself, 0, or its code.
    package func position(_ row: Int) -> (vector: Vector, index: Int) {
        switch encoding {
        case .flat: (self, row)
        case .constant: (self, 0)
        case .dictionary: (dictionary.unsafelyUnwrapped, Int(codes[row]))
        }
    }

    /// One value, in any encoding. For code that is not hot.
    package func value(at row: Int) -> ScalarValue {
        if isNull(row) { return .null }
        let (vector, index) = position(row)
        switch physical {
        case .boolean: return .boolean(vector.values(UInt8.self)[index] != 0)
        case .int8: return .integer(Int64(vector.values(Int8.self)[index]))
        case .int16: return .integer(Int64(vector.values(Int16.self)[index]))
        case .int32: return .integer(Int64(vector.values(Int32.self)[index]))
        case .int64:
            let value = vector.values(Int64.self)[index]
            return type.isDecimal ? .decimal(Int128(value)) : .integer(value)
        case .int128: return .decimal(vector.values(Int128.self)[index])
        case .float32: return .float(Double(vector.values(Float.self)[index]))
        case .float64: return .float(vector.values(Double.self)[index])
        case .interval: return .interval(vector.values(IntervalValue.self)[index])
        case .uuid: return .uuid(vector.values(UUIDValue.self)[index])
        case .view: return .bytes(StringView.array(at: vector.views + index))
        }
    }

    /// One value for all rows. `value` must fit `type`.
    package static func constant(_ value: ScalarValue, type: DataType, count: Int) -> Vector {
        let buffer = Buffer(byteCount: 16)
        let vector = Vector(type: type, encoding: .constant, count: count, data: buffer.base, dataOwner: buffer)
        if value.isNull {
            buffer.base.initializeMemory(as: UInt64.self, repeating: 0, count: 2)
            let validity = Validity.make(rows: 1, valid: false)
            vector.validityOwner = validity
            vector.validity = validity.base.assumingMemoryBound(to: UInt64.self)
        } else {
            let heap = StringHeap(chunkByteCount: 16)
            vector.store(value, at: 0, heap: heap)
            vector.pinned = heap.buffers
        }
        return vector
    }

    /// Writes a non-null value into flat data; long strings go to `heap`, which the caller pins. Not for hot code.
    package func store(_ value: ScalarValue, at index: Int, heap: StringHeap) {
        switch (physical, value) {
        case (.boolean, .boolean(let flag)): values(UInt8.self)[index] = flag ? 1 : 0
        case (.int8, .integer(let number)): values(Int8.self)[index] = Int8(truncatingIfNeeded: number)
        case (.int16, .integer(let number)): values(Int16.self)[index] = Int16(truncatingIfNeeded: number)
        case (.int32, .integer(let number)): values(Int32.self)[index] = Int32(truncatingIfNeeded: number)
        case (.int64, .integer(let number)): values(Int64.self)[index] = number
        case (.int64, .decimal(let number)): values(Int64.self)[index] = Int64(truncatingIfNeeded: number)
        case (.int128, .decimal(let number)): values(Int128.self)[index] = number
        case (.int128, .integer(let number)): values(Int128.self)[index] = Int128(number)
        case (.float32, .float(let number)): values(Float.self)[index] = Float(number)
        case (.float64, .float(let number)): values(Double.self)[index] = number
        case (.interval, .interval(let interval)): values(IntervalValue.self)[index] = interval
        case (.uuid, .uuid(let uuid)): values(UUIDValue.self)[index] = uuid
        case (.view, .bytes(let bytes)):
            views[index] = bytes.withUnsafeBufferPointer { pointer in
                pointer.baseAddress.map { heap.copy($0, count: pointer.count) } ?? StringView()
            }
        default: preconditionFailure("a \(value) does not fit \(type)")
        }
    }
}
