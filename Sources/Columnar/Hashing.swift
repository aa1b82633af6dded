// Hashes of vectors: the same value gives the same hash on every node, so that partitions agree.

import CKernels
import Synchronization

/// 64-bit hashes by multiplication and folding. Not seeded: partitions of different processes must agree.
package enum Hashing {
    @usableFromInline package static let nullHash: UInt64 = 0x9E37_79B9_7F4A_7C15

    /// A murmur-style finaliser with two multiplications.
    @inlinable package static func mix(_ value: UInt64) -> UInt64 {
        var x = value
        x = (x ^ (x &>> 32)) &* 0xD6E8_FEB8_6659_FD93
        x = (x ^ (x &>> 32)) &* 0xD6E8_FEB8_6659_FD93
        return x ^ (x &>> 32)
    }

    /// Adds the hash of a further column.
    @inlinable package static func combine(_ a: UInt64, _ b: UInt64) -> UInt64 {
        mix(a &* 0x9E37_79B9_7F4A_7C15 &+ b)
    }

    @inlinable package static func hash(_ value: Int128) -> UInt64 {
        // Values that fit 64 bits hash as such, so that decimals of both widths agree.
        let low = UInt64(truncatingIfNeeded: value)
        if value == Int128(Int64(truncatingIfNeeded: low)) { return mix(low) }
        return combine(mix(low), UInt64(truncatingIfNeeded: value &>> 64))
    }

    /// Floats: -0 and 0 agree, every NaN agrees.
    @inlinable package static func hash(_ value: Double) -> UInt64 {
        if value == 0 { return mix(0) }
        if value.isNaN { return mix(0x7FF8_0000_0000_0000) }
        return mix(value.bitPattern)
    }

    @inlinable package static func hash(bytes: UnsafePointer<UInt8>, count: Int) -> UInt64 {
        var result: UInt64 = 0x2545_F491_4F6C_DD1D ^ UInt64(truncatingIfNeeded: count)
        let raw = UnsafeRawPointer(bytes)
        var offset = 0
        while offset &+ 8 <= count {
            result = (result ^ raw.loadUnaligned(fromByteOffset: offset, as: UInt64.self)) &* 0x9FB2_1C65_1E98_DF25
            result ^= result &>> 32
            offset &+= 8
        }
        if offset < count {
            var last: UInt64 = 0
            var shift: UInt64 = 0
            while offset < count {
                last |= UInt64(bytes[offset]) &<< shift
                shift &+= 8
                offset &+= 1
            }
            result = (result ^ last) &* 0x9FB2_1C65_1E98_DF25
            result ^= result &>> 32
        }
        return mix(result)
    }

    /// The hash of a view: the same for the same bytes, inline or not.
    @inlinable package static func hash(_ view: UnsafePointer<StringView>) -> UInt64 {
        if view.pointee.isInline {
            return combine(mix(view.pointee.head), view.pointee.tail)
        }
        return hash(bytes: view.pointee.pointer, count: view.pointee.count)
    }
}

extension Hashing {
    /// Hashes of a dense vector's rows into `hashes`; `combining` folds them into what is there.
    package static func hash(_ vector: Vector, into hashes: UnsafeMutablePointer<UInt64>, combining: Bool) {
        // Rows that are null on their own account have codes that mean nothing.
        let vector = vector.encoding == .dictionary && vector.validity != nil ? vector.flattened() : vector
        let count = vector.count
        switch vector.encoding {
        case .constant:
            let value = vector.isNull(0) ? nullHash : hashOfEntry(vector, 0)
            var row = 0
            while row < count {
                hashes[row] = combining ? combine(hashes[row], value) : value
                row &+= 1
            }
        case .dictionary:
            let entries = vector.dictionary.unsafelyUnwrapped
            let codes = vector.codes
            let cache = entries.hashesOfEntries()
            let cached = cache.base.assumingMemoryBound(to: UInt64.self)
            var row = 0
            if combining {
                while row < count {
                    hashes[row] = combine(hashes[row], cached[Int(codes[row])])
                    row &+= 1
                }
            } else {
                while row < count {
                    hashes[row] = cached[Int(codes[row])]
                    row &+= 1
                }
            }
        case .flat:
            if combining {
                let scratch = Buffer(byteCount: max(1, count) * 8)
                let own = scratch.base.assumingMemoryBound(to: UInt64.self)
                hashFlat(vector, into: own)
                var row = 0
                while row < count {
                    hashes[row] = combine(hashes[row], own[row])
                    row &+= 1
                }
            } else {
                hashFlat(vector, into: hashes)
            }
        }
    }

    private static func hashOfEntry(_ vector: Vector, _ index: Int) -> UInt64 {
        switch vector.physical {
        case .boolean: mix(UInt64(vector.values(UInt8.self)[index]))
        case .int8: mix(UInt64(bitPattern: Int64(vector.values(Int8.self)[index])))
        case .int16: mix(UInt64(bitPattern: Int64(vector.values(Int16.self)[index])))
        case .int32: mix(UInt64(bitPattern: Int64(vector.values(Int32.self)[index])))
        case .int64: mix(UInt64(bitPattern: vector.values(Int64.self)[index]))
        case .int128: hash(vector.values(Int128.self)[index])
        case .float32: hash(Double(vector.values(Float.self)[index]))
        case .float64: hash(vector.values(Double.self)[index])
        case .interval: hash(vector.values(IntervalValue.self)[index].comparisonMicroseconds)
        case .uuid: combine(mix(vector.values(UUIDValue.self)[index].high), vector.values(UUIDValue.self)[index].low)
        case .view: ViewKind(vector.type).hash(vector.views + index)
        }
    }

    private static let prefetchRows = 12

    private static func hashFlat(_ vector: Vector, into hashes: UnsafeMutablePointer<UInt64>) {
        let count = vector.count
        switch vector.physical {
        case .boolean: hashIntegers(vector.values(UInt8.self), hashes, count)
        case .int8: hashIntegers(vector.values(Int8.self), hashes, count)
        case .int16: hashIntegers(vector.values(Int16.self), hashes, count)
        case .int32: hashIntegers(vector.values(Int32.self), hashes, count)
        case .int64: hashIntegers(vector.values(Int64.self), hashes, count)
        case .view:
            let views = UnsafePointer(vector.views)
            let kind = ViewKind(vector.type)
            var row = 0
            if kind.isBytes {
                // Rows that a join has put together lie anywhere: their bytes are fetched before they are needed.
                let ahead = Self.prefetchRows
                while row < count {
                    if row &+ ahead < count, !views[row &+ ahead].isInline { ck_prefetch(views[row &+ ahead].pointer) }
                    hashes[row] = hash(views + row)
                    row &+= 1
                }
            } else {
                while row < count {
                    hashes[row] = kind.hash(views + row)
                    row &+= 1
                }
            }
        case .int128, .float32, .float64, .interval, .uuid:
            var row = 0
            while row < count {
                hashes[row] = hashOfEntry(vector, row)
                row &+= 1
            }
        }
        if let validity = vector.validity {
            var row = 0
            while row < count {
                if !Validity.isValid(validity, row) { hashes[row] = nullHash }
                row &+= 1
            }
        }
    }

    @inline(__always)
    private static func hashIntegers<T: FixedWidthInteger>(
        _ values: UnsafePointer<T>, _ hashes: UnsafeMutablePointer<UInt64>, _ count: Int
    ) {
        var row = 0
        while row < count {
            hashes[row] = mix(UInt64(truncatingIfNeeded: values[row]))
            row &+= 1
        }
    }
}

/// Guards `Vector.cachedHashes`: a dictionary may be shared by batches on several threads.
private let cachedHashesLock = Mutex(())

extension Vector {
    /// Hashes of a dictionary's entries, made once.
    fileprivate func hashesOfEntries() -> Buffer {
        if let made = cachedHashesLock.withLock({ _ in cachedHashes }) { return made }
        let buffer = Buffer(byteCount: max(1, count) * 8)
        Hashing.hash(self, into: buffer.base.assumingMemoryBound(to: UInt64.self), combining: false)
        cachedHashesLock.withLock { _ in cachedHashes = buffer }
        return buffer
    }
}
