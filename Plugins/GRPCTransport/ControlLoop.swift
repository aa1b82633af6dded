// The threads that the control plane's calls live on.

import Foundation
import NIOCore
import NIOPosix
import Synchronization

/// A thread that reads and writes control streams and also runs what waits for them. A call is a dozen hops between the
/// stream, the code of gRPC and ours: on one thread none of them has to wake another.
///
/// What runs here must be short: other queries' calls wait behind it.
final class ControlLoop: TaskExecutor {
    let group: MultiThreadedEventLoopGroup
    private let loop: any EventLoop

    private init() {
        group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        loop = group.next()
    }

    /// The loops of the process, as long as it lives: what still waits for one when its node has ended must come to its end.
    private static let all = (0..<max(1, ProcessInfo.processInfo.activeProcessorCount / 8)).map { _ in ControlLoop() }
    private static let taken = Atomic(0)

    /// Gives each loop in turn.
    static func next() -> ControlLoop {
        let number = taken.wrappingAdd(1, ordering: .relaxed).oldValue
        return all[Int(UInt(bitPattern: number) % UInt(all.count))]
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let executor = asUnownedTaskExecutor()
        loop.execute { job.runSynchronously(on: executor) }
    }

    /// Calls `body` on the thread after a while.
    func schedule(in delay: Duration, _ body: @escaping @Sendable () -> Void) {
        loop.scheduleTask(in: TimeAmount(delay)) { body() }
    }
}
