// The clock that quanta and metrics are measured with.

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Nanoseconds of a clock that never goes back. About 25 ns a call.
@inline(__always)
package func monotonicNanoseconds() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
}
