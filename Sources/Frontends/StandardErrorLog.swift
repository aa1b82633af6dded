// Log lines on standard error: key=value for people, or one JSON object a line.

import Logging
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The least severity of log lines, which may change while a process runs. Thread-safe.
package final class LogThreshold: Sendable {
    private let current: Atomic<Int>

    package init(_ level: Logger.Level) { current = Atomic(Self.number(level)) }

    package var level: Logger.Level {
        get { Logger.Level.allCases[current.load(ordering: .relaxed)] }
        set { current.store(Self.number(newValue), ordering: .relaxed) }
    }

    private static func number(_ level: Logger.Level) -> Int { Logger.Level.allCases.firstIndex(of: level) ?? 2 }
}

/// The log handler of every process. A line is written by one call, so lines of different threads do not mix.
package struct StandardErrorLog: LogHandler {
    package var metadata: Logger.Metadata = [:]
    private var ownLevel = Logger.Level.info
    private let isJSON: Bool
    private let threshold: LogThreshold?

    /// With a threshold the level is that of the threshold, for all loggers that share it.
    package init(isJSON: Bool, threshold: LogThreshold? = nil) {
        self.isJSON = isJSON
        self.threshold = threshold
    }

    package var logLevel: Logger.Level {
        get { threshold?.level ?? ownLevel }
        set {
            ownLevel = newValue
            threshold?.level = newValue
        }
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        write(event.level, "\(event.message)", event.metadata, event.source)
    }

    private func write(_ level: Logger.Level, _ message: String, _ own: Logger.Metadata?, _ source: String) {
        let all = metadata.merging(own ?? [:]) { _, new in new }.sorted { $0.key < $1.key }
        var line: String
        if isJSON {
            line =
                "{\"time\":\"\(StandardErrorLog.now())\",\"level\":\"\(level)\",\"source\":\(JSONText.string(source))"
            line += ",\"message\":\(JSONText.string(message))"
            for (key, value) in all { line += ",\(JSONText.string(key)):\(JSONText.string("\(value)"))" }
            line += "}\n"
        } else {
            line = "\(StandardErrorLog.now()) \(level) \(message)"
            for (key, value) in all {
                let text = "\(value)"
                let needsQuotes = text.isEmpty || text.contains { $0 == " " || $0 == "\"" || $0 == "=" || $0.isNewline }
                line += " \(key)=\(needsQuotes ? JSONText.string(text) : text)"
            }
            line += "\n"
        }
        let bytes = Array(line.utf8)
        #if canImport(Glibc)
            _ = Glibc.write(2, bytes, bytes.count)
        #else
            _ = Darwin.write(2, bytes, bytes.count)
        #endif
    }

    /// The time in UTC with milliseconds.
    private static func now() -> String {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        var parts = tm()
        gmtime_r(&time.tv_sec, &parts)
        func padded(_ number: Int, _ width: Int) -> String {
            let digits = String(number)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        let date = "\(parts.tm_year + 1900)-\(padded(Int(parts.tm_mon) + 1, 2))-\(padded(Int(parts.tm_mday), 2))"
        let clock = "\(padded(Int(parts.tm_hour), 2)):\(padded(Int(parts.tm_min), 2)):\(padded(Int(parts.tm_sec), 2))"
        return "\(date)T\(clock).\(padded(Int(time.tv_nsec) / 1_000_000, 3))Z"
    }
}
