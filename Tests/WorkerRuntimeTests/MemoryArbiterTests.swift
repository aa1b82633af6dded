// Who gives memory back, and who is ended: decisions one by one, and many queries under a clock of their own.

import ClusterMembership
import Diagnostics
import TestSupport
import Testing
import WorkerRuntime

@Suite("Memory arbiter")
struct MemoryArbiterTests {
    private let options = MemoryArbiterOptions()
    private static let megabyte = 1 << 20

    private func at(_ milliseconds: Int64) -> MonotonicInstant {
        MonotonicInstant(nanoseconds: milliseconds * 1_000_000)
    }
    private func holder(_ name: String, _ reserved: Int, revocable: Int = 0) -> MemoryHolder {
        MemoryHolder(
            query: QueryID(name), reservedByteCount: reserved * Self.megabyte,
            revocableByteCount: revocable * Self.megabyte)
    }
    private func arbiter() -> MemoryArbiterInstance {
        MemoryArbiterInstance(name: "worker a", limit: 100 * Self.megabyte)
    }
    private func decide(
        _ arbiter: inout MemoryArbiterInstance, _ request: Int, _ query: String, _ count: Int,
        _ holders: [MemoryHolder],
        at time: Int64
    ) -> MemoryArbiterDecision {
        arbiter.decide(
            request, count * Self.megabyte, for: QueryID(query),
            used: holders.reduce(0) { $0 + $1.reservedByteCount }, holders: holders, now: at(time))
    }
    private func asked(_ decision: MemoryArbiterDecision) -> [String]? {
        if case .wait(let asking) = decision { asking.map(\.text) } else { nil }
    }
    private func ended(_ decision: MemoryArbiterDecision) -> String? {
        if case .end(let query, let error) = decision, error.state == .outOfMemory { query.text } else { nil }
    }
    private func isRefused(_ decision: MemoryArbiterDecision) -> Bool {
        if case .refuse(let error) = decision { error.state == .outOfMemory } else { false }
    }

    @Test("what the query itself can spill comes first, then the largest of others, as much as is needed")
    func order() {
        var arbiter = arbiter()
        let holders = [holder("a", 20, revocable: 5), holder("b", 30, revocable: 20), holder("c", 50, revocable: 40)]
        #expect(asked(decide(&arbiter, 1, "a", 4, holders, at: 0)) == ["a"])
        // The own part is under way; more is needed than it brings.
        #expect(asked(decide(&arbiter, 1, "a", 30, holders, at: 1)) == ["c"])
        #expect(asked(decide(&arbiter, 1, "a", 60, holders, at: 2)) == ["b"])
        #expect(asked(decide(&arbiter, 1, "a", 60, holders, at: 3)) == [])
    }

    @Test("when nothing can be spilled, the query with the largest reservation is ended, one at a time")
    func victim() {
        var arbiter = arbiter()
        let holders = [holder("a", 10), holder("b", 60), holder("c", 30)]
        // The others may end by themselves.
        #expect(asked(decide(&arbiter, 1, "a", 10, holders, at: 0)) == [])
        let limit = options.waitLimit.components.seconds * 1000
        #expect(ended(decide(&arbiter, 1, "a", 10, holders, at: limit)) == "b")
        #expect(asked(decide(&arbiter, 1, "a", 10, holders, at: limit + 10)) == [])
        // It has let go.
        arbiter.forget(QueryID("b"))
        if case .retry = decide(&arbiter, 1, "a", 10, [holder("a", 10), holder("c", 30)], at: limit + 20) {
        } else {
            Issue.record("there is room and the request still waits")
        }
    }

    @Test("queries that all wait for memory wait for nobody: the largest goes at once")
    func deadlock() {
        var arbiter = arbiter()
        let holders = [holder("a", 40), holder("b", 60)]
        #expect(asked(decide(&arbiter, 1, "b", 10, holders, at: 0)) == [])
        #expect(ended(decide(&arbiter, 2, "a", 10, holders, at: 1)) == "b")
        // The one that was ended gets the reason if it asks itself.
        #expect(isRefused(decide(&arbiter, 1, "b", 10, holders, at: 2)))
    }

    @Test("a query that is alone, or the largest itself, is refused rather than others ended for it")
    func refusal() {
        var arbiter = arbiter()
        #expect(isRefused(decide(&arbiter, 1, "a", 10, [holder("a", 95)], at: 0)))
        arbiter.leave(1)
        let holders = [holder("a", 70), holder("b", 30)]
        #expect(asked(decide(&arbiter, 2, "a", 10, holders, at: 1)) == [])
        #expect(isRefused(decide(&arbiter, 2, "a", 10, holders, at: 1 + options.waitLimit.components.seconds * 1000)))
    }

    /// A query that grows, spills when it is asked, waits, and ends.
    private struct Model {
        var query: QueryID
        var reserved = 0
        var revocable = 0
        var wanted: Int
        var request: Int?
        var need = 0
        var spillsAt: Int64?
    }

    @Test("many queries that need more than there is: the limit holds at every instant, and all of them come to an end")
    func storm() {
        var random = SeededGenerator(seed: 7)
        for _ in 0..<60 {
            var arbiter = arbiter()
            var models = (0..<8).map { number in
                Model(query: QueryID("q\(number)"), wanted: Int.random(in: 5...120, using: &random) * Self.megabyte)
            }
            var time: Int64 = 0
            var nextRequest = 0
            var outcomes = 0
            func holders() -> [MemoryHolder] {
                models.map {
                    MemoryHolder(query: $0.query, reservedByteCount: $0.reserved, revocableByteCount: $0.revocable)
                }
            }
            func end(_ query: QueryID) {
                if let model = models.first(where: { $0.query == query }), let request = model.request {
                    arbiter.leave(request)
                }
                models.removeAll { $0.query == query }
                arbiter.forget(query)
                outcomes += 1
            }
            while !models.isEmpty, time < 400_000 {
                time += Int64.random(in: 1...20, using: &random)
                // Whoever was asked writes what it has, a moment later.
                for index in models.indices {
                    guard let due = models[index].spillsAt, time >= due else { continue }
                    models[index].reserved -= models[index].revocable
                    models[index].revocable = 0
                    models[index].spillsAt = nil
                }
                let index = Int.random(in: models.indices, using: &random)
                if models[index].request == nil {
                    models[index].need = Int.random(in: 1...8, using: &random) * Self.megabyte
                    nextRequest += 1
                    models[index].request = nextRequest
                }
                let model = models[index]
                let used = models.reduce(0) { $0 + $1.reserved }
                let request = model.request ?? 0
                if used + model.need <= arbiter.limit {
                    arbiter.leave(request)
                    models[index].request = nil
                    models[index].reserved += model.need
                    models[index].wanted -= model.need
                    if Bool.random(using: &random) { models[index].revocable += model.need }
                    if models[index].wanted <= 0 { end(model.query) }
                } else {
                    switch arbiter.decide(
                        request, model.need, for: model.query, used: used, holders: holders(), now: at(time))
                    {
                    case .retry: Issue.record("there is no room")
                    case .refuse: end(model.query)
                    case .end(let victim, _): end(victim)
                    case .wait(let asking):
                        for other in models.indices where asking.contains(models[other].query) {
                            models[other].spillsAt = time + Int64.random(in: 1...200, using: &random)
                        }
                    }
                }
                #expect(models.reduce(0) { $0 + $1.reserved } <= arbiter.limit)
            }
            #expect(models.isEmpty && outcomes == 8)
            #expect(arbiter.waitingCount == 0)
        }
    }
}
