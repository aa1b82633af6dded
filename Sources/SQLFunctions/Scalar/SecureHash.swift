// The digests of the SHA-2 family (FIPS 180-4).

enum SecureHash {
    private static func primes(_ count: Int) -> [UInt64] {
        var result: [UInt64] = []
        var candidate: UInt64 = 2
        while result.count < count {
            if result.allSatisfy({ candidate % $0 != 0 }) { result.append(candidate) }
            candidate += 1
        }
        return result
    }

    /// The first 64 bits of the fraction of a prime's cube root, by integer search.
    private static func cubeRootBits(_ prime: UInt64) -> UInt64 {
        // The largest r with r³ ≤ prime × 2^192, in units of 2^-64.
        var low = UInt128(0)
        var high = UInt128(8) << 64
        while high - low > 1 {
            let middle = (low + high) / 2
            if isCubeBelow(middle, prime) { low = middle } else { high = middle }
        }
        return UInt64(truncatingIfNeeded: low)
    }

    /// Whether r³ ≤ prime × 2^192 for r below 2^67, in limbs of 32 bits.
    private static func isCubeBelow(_ root: UInt128, _ prime: UInt64) -> Bool {
        let limbs = (0..<3).map { UInt64(truncatingIfNeeded: root >> UInt128($0 * 32)) & 0xFFFF_FFFF }
        let cube = product(product(limbs, limbs), limbs)
        var limit = [UInt64](repeating: 0, count: cube.count)
        limit[6] = prime
        for index in cube.indices.reversed() where cube[index] != limit[index] { return cube[index] < limit[index] }
        return true
    }

    private static func product(_ a: [UInt64], _ b: [UInt64]) -> [UInt64] {
        var result = [UInt64](repeating: 0, count: a.count + b.count)
        for (i, x) in a.enumerated() {
            var carry: UInt64 = 0
            for (j, y) in b.enumerated() {
                let sum = result[i + j] + x * y + carry
                result[i + j] = sum & 0xFFFF_FFFF
                carry = sum >> 32
            }
            result[i + b.count] += carry
        }
        return result
    }

    private static let constants64 = primes(80).map(cubeRootBits)
    private static let constants32 = constants64[..<64].map { UInt32($0 >> 32) }

    /// The message with its end mark and its length in bits, in whole blocks.
    private static func padded(_ message: UnsafeBufferPointer<UInt8>, block: Int) -> [UInt8] {
        var bytes = Array(message)
        bytes.append(0x80)
        let lengthBytes = block / 8
        while bytes.count % block != block - lengthBytes { bytes.append(0) }
        for index in (0..<lengthBytes).reversed() {
            bytes.append(index < 8 ? UInt8(truncatingIfNeeded: (UInt64(message.count) * 8) >> UInt64(index * 8)) : 0)
        }
        return bytes
    }

    private static func digest32(_ message: UnsafeBufferPointer<UInt8>, _ start: [UInt32], byteCount: Int) -> [UInt8] {
        let bytes = padded(message, block: 64)
        var state = start
        var words = [UInt32](repeating: 0, count: 64)
        func rotated(_ x: UInt32, _ n: UInt32) -> UInt32 { x >> n | x << (32 - n) }
        for block in stride(from: 0, to: bytes.count, by: 64) {
            for t in 0..<16 {
                words[t] = (0..<4).reduce(0) { $0 << 8 | UInt32(bytes[block + t * 4 + $1]) }
            }
            for t in 16..<64 {
                let a = rotated(words[t - 15], 7) ^ rotated(words[t - 15], 18) ^ words[t - 15] >> 3
                let b = rotated(words[t - 2], 17) ^ rotated(words[t - 2], 19) ^ words[t - 2] >> 10
                words[t] = words[t - 16] &+ a &+ words[t - 7] &+ b
            }
            var s = state
            for t in 0..<64 {
                let e1 = rotated(s[4], 6) ^ rotated(s[4], 11) ^ rotated(s[4], 25)
                let first = s[7] &+ e1 &+ (s[4] & s[5] ^ ~s[4] & s[6]) &+ constants32[t] &+ words[t]
                let e0 = rotated(s[0], 2) ^ rotated(s[0], 13) ^ rotated(s[0], 22)
                let second = e0 &+ (s[0] & s[1] ^ s[0] & s[2] ^ s[1] & s[2])
                s = [first &+ second, s[0], s[1], s[2], s[3] &+ first, s[4], s[5], s[6]]
            }
            for index in 0..<8 { state[index] &+= s[index] }
        }
        return Array(
            state.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> UInt32(24 - $0 * 8)) } }.prefix(
                byteCount))
    }

    private static func digest64(_ message: UnsafeBufferPointer<UInt8>, _ start: [UInt64], byteCount: Int) -> [UInt8] {
        let bytes = padded(message, block: 128)
        var state = start
        var words = [UInt64](repeating: 0, count: 80)
        func rotated(_ x: UInt64, _ n: UInt64) -> UInt64 { x >> n | x << (64 - n) }
        for block in stride(from: 0, to: bytes.count, by: 128) {
            for t in 0..<16 {
                words[t] = (0..<8).reduce(0) { $0 << 8 | UInt64(bytes[block + t * 8 + $1]) }
            }
            for t in 16..<80 {
                let a = rotated(words[t - 15], 1) ^ rotated(words[t - 15], 8) ^ words[t - 15] >> 7
                let b = rotated(words[t - 2], 19) ^ rotated(words[t - 2], 61) ^ words[t - 2] >> 6
                words[t] = words[t - 16] &+ a &+ words[t - 7] &+ b
            }
            var s = state
            for t in 0..<80 {
                let e1 = rotated(s[4], 14) ^ rotated(s[4], 18) ^ rotated(s[4], 41)
                let first = s[7] &+ e1 &+ (s[4] & s[5] ^ ~s[4] & s[6]) &+ constants64[t] &+ words[t]
                let e0 = rotated(s[0], 28) ^ rotated(s[0], 34) ^ rotated(s[0], 39)
                let second = e0 &+ (s[0] & s[1] ^ s[0] & s[2] ^ s[1] & s[2])
                s = [first &+ second, s[0], s[1], s[2], s[3] &+ first, s[4], s[5], s[6]]
            }
            for index in 0..<8 { state[index] &+= s[index] }
        }
        return Array(
            state.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(56 - $0 * 8)) } }.prefix(
                byteCount))
    }

    static func sha256(_ message: UnsafeBufferPointer<UInt8>) -> [UInt8] {
        digest32(
            message,
            [
                0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19,
            ], byteCount: 32)
    }

    static func sha224(_ message: UnsafeBufferPointer<UInt8>) -> [UInt8] {
        digest32(
            message,
            [
                0xc105_9ed8, 0x367c_d507, 0x3070_dd17, 0xf70e_5939, 0xffc0_0b31, 0x6858_1511, 0x64f9_8fa7, 0xbefa_4fa4,
            ], byteCount: 28)
    }

    static func sha512(_ message: UnsafeBufferPointer<UInt8>) -> [UInt8] {
        digest64(
            message,
            [
                0x6a09_e667_f3bc_c908, 0xbb67_ae85_84ca_a73b, 0x3c6e_f372_fe94_f82b, 0xa54f_f53a_5f1d_36f1,
                0x510e_527f_ade6_82d1, 0x9b05_688c_2b3e_6c1f, 0x1f83_d9ab_fb41_bd6b, 0x5be0_cd19_137e_2179,
            ], byteCount: 64)
    }

    static func sha384(_ message: UnsafeBufferPointer<UInt8>) -> [UInt8] {
        digest64(
            message,
            [
                0xcbbb_9d5d_c105_9ed8, 0x629a_292a_367c_d507, 0x9159_015a_3070_dd17, 0x152f_ecd8_f70e_5939,
                0x6733_2667_ffc0_0b31, 0x8eb4_4a87_6858_1511, 0xdb0c_2e0d_64f9_8fa7, 0x47b5_481d_befa_4fa4,
            ], byteCount: 48)
    }
}
