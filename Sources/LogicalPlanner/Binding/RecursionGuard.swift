// Keeps recursion over trees from exhausting the thread's stack.

import Diagnostics

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

#if canImport(Glibc)
    /// glibc's `pthread_getattr_np`, which its headers show to GNU sources only.
    @_silgen_name("pthread_getattr_np")
    private func threadAttributes(_ thread: pthread_t, _ attributes: UnsafeMutablePointer<pthread_attr_t>) -> Int32
#endif

/// Counts how deep a recursion is and how much of the thread's stack is left; throws 54001 before it runs out.
struct RecursionGuard {
    private var depth = 0
    private let depthMax: Int
    /// The lowest address that the stack may grow down to.
    private let stackLimit: UInt

    init(depthMax: Int = 4_000) {
        self.depthMax = depthMax
        stackLimit = Self.lowestStackAddress() + (128 << 10)
    }

    mutating func enter(at position: SourcePosition?) throws {
        depth += 1
        let here = Self.stackAddress()
        if depth > depthMax || here < stackLimit {
            depth -= 1
            throw QueryError(
                .statementTooComplex, "the statement nests too deeply",
                hint: "Split the expression or the sub-queries into smaller parts.", at: position)
        }
    }

    mutating func leave() { depth -= 1 }

    /// An address within the caller's part of the stack, near enough.
    @inline(never)
    private static func stackAddress() -> UInt {
        var marker: UInt = 0
        return withUnsafeMutablePointer(to: &marker) { UInt(bitPattern: $0) }
    }

    /// The lower end of the calling thread's stack; 256 KiB below this frame where the system does not tell.
    private static func lowestStackAddress() -> UInt {
        let here = stackAddress()
        let fallback = here > 256 << 10 ? here - (256 << 10) : 0
        #if canImport(Glibc)
            var attributes = pthread_attr_t()
            guard threadAttributes(pthread_self(), &attributes) == 0 else { return fallback }
            defer { pthread_attr_destroy(&attributes) }
            var address: UnsafeMutableRawPointer?
            var size = 0
            guard pthread_attr_getstack(&attributes, &address, &size) == 0, let address else { return fallback }
            // The main thread's stack is reported with its limit, of which not all need be available.
            return max(UInt(bitPattern: address), here > 8 << 20 ? here - (8 << 20) : 0)
        #elseif canImport(Darwin)
            let top = UInt(bitPattern: pthread_get_stackaddr_np(pthread_self()))
            return top - UInt(pthread_get_stacksize_np(pthread_self()))
        #else
            return fallback
        #endif
    }
}
