// Admission, event by event.

import ClusterMembership
import Coordination
import Diagnostics
import Testing

@Suite("Admission")
struct AdmissionInstanceTests {
    private func request(
        _ number: Int, session: Int? = nil, isSmall: Bool = false, memory: Int = 1
    ) -> AdmissionRequest {
        AdmissionRequest(
            query: QueryID("q\(number)"), session: session ?? number, isSmall: isSmall, memoryByteCount: memory)
    }
    private func admitted(_ directives: [AdmissionDirective]) -> [String] {
        directives.compactMap { if case .admit(let query) = $0 { query.text } else { nil } }
    }
    private func refused(_ directives: [AdmissionDirective]) -> [SQLState] {
        directives.compactMap { if case .refuse(_, let error) = $0 { error.state } else { nil } }
    }
    private func instance(_ change: (inout AdmissionOptions) -> Void) -> AdmissionInstance {
        var options = AdmissionOptions()
        change(&options)
        return AdmissionInstance(options: options)
    }

    @Test("of a thousand queries at once ten run at any moment, and all of them in the end, in order")
    func burst() {
        var admission = instance { $0.runningMax = 10 }
        var order: [String] = []
        for number in 0..<1000 { order += admitted(admission.request(request(number), now: .zero)) }
        #expect(order.count == 10 && admission.queuedCount == 990)
        #expect(admission.slotPeak == 10 && admission.queuedPeak == 990)
        var next = 0
        while next < order.count {
            order += admitted(admission.leave(QueryID(order[next])))
            #expect(admission.slotCount <= 10)
            next += 1
        }
        #expect(order == (0..<1000).map { "q\($0)" })
        #expect(admission.runningCount == 0 && admission.slotCount == 0 && admission.memoryByteCount == 0)
    }

    @Test("beyond the length of the queue queries are refused at once")
    func flood() {
        var admission = instance {
            $0.runningMax = 1
            $0.queuedMax = 3
        }
        var refusals = 0
        for number in 0..<100 {
            let states = refused(admission.request(request(number), now: .zero))
            #expect(states.allSatisfy { $0 == .configurationLimitExceeded })
            refusals += states.count
        }
        #expect(refusals == 96 && admission.queuedCount == 3)
    }

    @Test("a query that waits too long is refused, with its reason")
    func timeout() {
        var admission = instance { $0.runningMax = 1 }
        _ = admission.request(request(0), now: .zero)
        _ = admission.request(request(1), now: .zero)
        let due = admission.nextDeadline ?? .zero
        #expect(due == MonotonicInstant.zero + admission.options.queueLimit)
        #expect(admission.reason(QueryID("q1"))?.reason == .concurrency)
        #expect(refused(admission.tick(now: due)) == [.configurationLimitExceeded])
        #expect(admission.queuedCount == 0)
    }

    @Test("memory is reserved as a whole; a query larger than all of it runs alone")
    func memory() {
        var admission = instance { $0.memoryByteMax = 100 }
        #expect(admitted(admission.request(request(0, memory: 60), now: .zero)) == ["q0"])
        #expect(admitted(admission.request(request(1, memory: 60), now: .zero)).isEmpty)
        #expect(admission.reason(QueryID("q1"))?.reason == .memory)
        // Nobody overtakes: a smaller one would keep the larger one waiting for ever.
        #expect(admitted(admission.request(request(2, memory: 10), now: .zero)).isEmpty)
        #expect(admitted(admission.leave(QueryID("q0"))) == ["q1", "q2"])
        _ = admission.leave(QueryID("q1"))
        _ = admission.leave(QueryID("q2"))
        #expect(admitted(admission.request(request(3, memory: 500), now: .zero)) == ["q3"])
    }

    @Test("small queries have places of their own, and queries of one session share theirs")
    func small() {
        var admission = instance { $0.runningMax = 10 }
        for number in 0..<12 { _ = admission.request(request(number), now: .zero) }
        #expect(admission.queuedCount == 2)
        #expect(admitted(admission.request(request(20, isSmall: true), now: .zero)) == ["q20"])
        #expect(admitted(admission.request(request(21, isSmall: true), now: .zero)).isEmpty)
        #expect(admitted(admission.request(request(30, session: 0), now: .zero)) == ["q30"])
        #expect(admission.slotCount == 11)
        #expect(admitted(admission.leave(QueryID("q20"))) == ["q21"])
    }

    @Test("a query that gives up waiting leaves the queue")
    func givingUp() {
        var admission = instance { $0.runningMax = 1 }
        for number in 0..<3 { _ = admission.request(request(number), now: .zero) }
        #expect(admitted(admission.leave(QueryID("q1"))).isEmpty)
        #expect(admitted(admission.leave(QueryID("q0"))) == ["q2"])
    }
}
