// What a daemon does with SIGHUP: it reads its configuration again and takes over what can change while it runs.

import Coordination
import Diagnostics
import EngineConfiguration
import Frontends
import Logging
import Synchronization

/// All or nothing: a configuration with a fault changes nothing. Catalogues alone stand each for itself: one with a fault stays what
/// it is.
final class ConfigurationReloader: Sendable {
    /// Looks at a configuration and gives what takes it over.
    typealias Part = @Sendable (EngineConfiguration) throws -> @Sendable () -> Void

    /// Keys, and begins of keys, whose values a running process takes over.
    static let reloadable = [
        "log.level", "users.", "catalogs.", "server.max-connections", "coordinator.max-running-queries",
        "coordinator.max-queued-queries", "coordinator.max-reserved-memory", "coordinator.queue-timeout",
    ]

    private struct State {
        var current: EngineConfiguration
        var parts: [Part] = []
    }
    private let state: Mutex<State>
    private let load: @Sendable () throws -> EngineConfiguration
    private let threshold: LogThreshold
    private let logger: Logger

    init(
        _ configuration: EngineConfiguration, load: @escaping @Sendable () throws -> EngineConfiguration,
        threshold: LogThreshold, logger: Logger
    ) {
        state = Mutex(State(current: configuration))
        self.load = load
        self.threshold = threshold
        self.logger = logger
    }

    func add(_ part: @escaping Part) { state.withLock { $0.parts.append(part) } }

    /// Called for each SIGHUP.
    func reload() {
        do {
            let next = try load()
            let (parts, changed) = state.withLock { ($0.parts, next.changedKeys(from: $0.current)) }
            let changes = try parts.map { try $0(next) }
            for change in changes { change() }
            let level = Logger.Level(rawValue: next["log.level"]) ?? .info
            if threshold.level != level { threshold.level = level }
            state.withLock { $0.current = next }
            let ignored = changed.filter { key in !Self.reloadable.contains { key.hasPrefix($0) } }
            logger.notice(
                "the configuration was read again",
                metadata: ["changed": "\(changed.filter { !ignored.contains($0) }.joined(separator: ","))"])
            if !ignored.isEmpty {
                logger.warning(
                    "these keys have changed and take effect with the next start",
                    metadata: ["keys": "\(ignored.joined(separator: ","))"])
            }
        } catch {
            let error = QueryError.wrapping(error)
            logger.error(
                "the configuration was read again and is not taken over",
                metadata: ["error": "\(error.message)", "code": "\(error.state)"])
        }
    }
}

enum CatalogReload {
    /// The sections of catalogues that can be read, and the names of the others, which the log tells of.
    static func sections(_ configuration: EngineConfiguration, logger: Logger) -> ([ConfigurationSection], Set<String>)
    {
        var whole: [ConfigurationSection] = []
        var faulty: Set<String> = []
        for section in configuration.catalogs {
            do {
                _ = try section.required("type")
                whole.append(section)
            } catch {
                faulty.insert(section.name)
                logger.error(
                    "a catalogue stays what it was: its new entry is wrong",
                    metadata: ["name": "\(section.name)", "error": "\(QueryError.wrapping(error).message)"])
            }
        }
        return (whole, faulty)
    }
}

extension AdmissionOptions {
    /// The limits that a configuration sets.
    mutating func take(_ options: CoordinatorOptions) {
        runningMax = options.maxRunningQueries
        queuedMax = options.maxQueuedQueries
        memoryByteMax = options.maxReservedMemory
        queueLimit = .milliseconds(options.queueMilliseconds)
    }
}
