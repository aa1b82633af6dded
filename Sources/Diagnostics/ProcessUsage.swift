// What this process uses of its machine: processor time and memory.

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A reading of the process's usage. Takes a few microseconds.
package struct ProcessUsage: Sendable, Hashable {
    /// Processor time of all threads since the process began.
    package var processorNanoseconds: UInt64
    /// Memory of the process that is in the machine's memory; 0 where it cannot be found out.
    package var residentBytes: Int64

    package static var current: ProcessUsage {
        var usage = rusage()
        #if canImport(Glibc)
            getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        #else
            getrusage(RUSAGE_SELF, &usage)
        #endif
        func nanoseconds(_ time: timeval) -> UInt64 {
            UInt64(max(0, time.tv_sec)) * 1_000_000_000 + UInt64(max(0, time.tv_usec)) * 1000
        }
        return ProcessUsage(
            processorNanoseconds: nanoseconds(usage.ru_utime) &+ nanoseconds(usage.ru_stime),
            residentBytes: residentBytes())
    }

    /// The second number of statm is the resident set in pages.
    private static func residentBytes() -> Int64 {
        #if canImport(Glibc)
            let descriptor = open("/proc/self/statm", O_RDONLY | O_CLOEXEC)
            guard descriptor >= 0 else { return 0 }
            defer { close(descriptor) }
            var bytes = [UInt8](repeating: 0, count: 128)
            let count = read(descriptor, &bytes, bytes.count)
            guard count > 0 else { return 0 }
            let words = bytes.prefix(count).split(separator: 0x20)
            guard words.count > 1, let pages = Int64(String(decoding: words[1], as: UTF8.self)) else { return 0 }
            return pages * Int64(sysconf(Int32(_SC_PAGESIZE)))
        #else
            return 0
        #endif
    }
}
