// What a run of the simulation is made of: sizes, faults, and ways to break the engine on purpose.

/// Ways in which the code around the state machines can be wrong. Each must be noticed.
enum Mutation: CaseIterable {
    /// Frames are taken without looking at their checksum.
    case skipsChecksum
    /// A worker without a lease takes tasks.
    case acceptsWithoutLease
    /// The rows of an attempt that was given up stay, and another attempt's come on top.
    case selectsTwoAttempts
    /// The scheduler's deadlines are not kept.
    case forgetsDeadlines
    /// Workers do not end what nobody wants.
    case dropsReaper
    /// The end of a channel is believed without counting its rows.
    case skipsCounts
    /// Places are given out beyond the limit.
    case ignoresAdmission
    /// Work is given to workers that are suspected or draining.
    case offersToSuspects
    /// A channel that another connection carries on begins behind what was sent, not behind what has come.
    case resumesBehindLostFrames
    /// It begins with frames that its reader has taken already.
    case resendsTakenFrames
    /// A worker is not told of which term the coordinator is that accepts it.
    case acceptsOldEpochs
}

struct Scenario {
    var workers = 6
    var queries = 12
    /// Over how many seconds faults happen and queries begin.
    var seconds = 40
    /// How long everything may take to end once faults have stopped.
    var calmSeconds = 400
    var runningMax = 4
    /// Faults, as events in the whole run for each worker.
    var crashes = 0.4
    var pauses = 0.3
    var partitions = 0.4
    var resets = 0.6
    var drains = 0.1
    /// Between two workers only.
    var pairPartitions = 0.3
    /// Shares of messages.
    var lostCalls = 0.03
    var lostReplies = 0.03
    var repeatedCalls = 0.05
    var slowCalls = 0.02
    var flippedBits = 0.002
    /// Frames whose connection breaks while they are under way.
    var lostFrames = 0.01
    var shortenedEnds = 0.0
    var cancels = 0.15
    /// Queries that bring down the worker that reads a certain split of theirs.
    var poison = 0.0
    /// Whether a coordinator of an earlier term can be reached for a few seconds.
    var hasDeposed = false
    var mutation: Mutation?

    /// A swarm: every run has another mix of faults, some of them none at all.
    static func swarm(seed: UInt64) -> Scenario {
        var random = SimulationRandom(seed: seed, stream: 77)
        var scenario = Scenario()
        scenario.workers = 2 + random.below(7)
        scenario.queries = 4 + random.below(14)
        scenario.runningMax = 1 + random.below(6)
        func sometimes(_ value: inout Double) {
            if random.chance(0.35) { value = 0 } else { value *= 0.3 + 2 * random.fraction() }
        }
        sometimes(&scenario.crashes)
        sometimes(&scenario.pauses)
        sometimes(&scenario.partitions)
        sometimes(&scenario.resets)
        sometimes(&scenario.drains)
        sometimes(&scenario.pairPartitions)
        sometimes(&scenario.lostCalls)
        sometimes(&scenario.lostReplies)
        sometimes(&scenario.repeatedCalls)
        sometimes(&scenario.slowCalls)
        sometimes(&scenario.flippedBits)
        sometimes(&scenario.lostFrames)
        sometimes(&scenario.cancels)
        scenario.hasDeposed = random.chance(0.25)
        scenario.poison = random.chance(0.3) ? 0.2 * random.fraction() : 0
        return scenario
    }
}

/// The plan of a simulated query: stages in a chain with several inputs, rows that depend on the seed alone.
struct SimulatedPlan {
    /// Stage 0 gives the result and reads stage 1, and so on; the last ones scan.
    var stageCount: Int
    var splitCount: Int
    var rowsPerSplit: Int
    var seed: UInt64
    /// The time that a task takes for one piece of its rows.
    var pieceMilliseconds: Int64
    var fails = false
    /// The split that no worker survives.
    var poisonedSplit: Int?
    /// The rows of one split, as they leave the scan.
    func rows(split: Int) -> [UInt64] {
        (0..<rowsPerSplit).map { SimulationRandom.mix(seed &+ UInt64(split) &* 1009 &+ UInt64($0)) }
    }
    static func transformed(_ row: UInt64, stage: Int) -> UInt64 { SimulationRandom.mix(row ^ UInt64(stage)) }

    /// What the result must be: the sum over all rows and how many there are.
    var expected: (sum: UInt64, count: Int) {
        var sum: UInt64 = 0
        for split in 0..<splitCount {
            for row in rows(split: split) {
                var value = row
                for stage in stride(from: stageCount - 2, through: 0, by: -1) {
                    value = Self.transformed(value, stage: stage)
                }
                sum &+= value
            }
        }
        return (sum, splitCount * rowsPerSplit)
    }
}

struct Violation: Error, CustomStringConvertible {
    var invariant: String
    var text: String
    var description: String { "\(invariant): \(text)" }
}
