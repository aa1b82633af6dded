// The memory that pays for what is on its way to a task: producers send no more than their reader has reserved.

import Diagnostics
import PhysicalOps
import Synchronization
import Transport

/// The credit of one task's readers, taken from the budget of its query. Thread-safe. What is still taken when the task ends
/// goes back then.
package final class ExchangeFund: CreditFund {
    private struct Account {
        var held = 0
        var isClosed = false
    }
    /// What the readers of a task have under way together. A task with many producers gives each of them less.
    package static let taskByteLimit = 32 << 20
    /// And no more than this part of the query's memory: the first channels must leave room for the others and for operators.
    private static let queryShare = 4

    private let pool: MemoryPool
    private let account = Mutex(Account())
    /// Channels that share the limit.
    private let channelCount: Int

    package init(pool: MemoryPool, channelCount: Int) {
        self.pool = pool
        self.channelCount = max(1, channelCount)
    }

    package func take(_ wanted: Int) throws -> Int {
        let shared = min(Self.taskByteLimit, pool.limit / Self.queryShare)
        var count = max(smallestExchangeWindow, min(wanted, shared / channelCount))
        while true {
            do {
                try pool.reserve(count, for: "an exchange")
                break
            } catch  where count > smallestExchangeWindow {
                // Slower with less, but it goes on.
                count = max(smallestExchangeWindow, count / 2)
            }
        }
        let isClosed = account.withLock { account in
            if !account.isClosed { account.held += count }
            return account.isClosed
        }
        if isClosed {
            pool.release(count)
            throw WorkerTasksInstance.cancelled
        }
        return count
    }

    package func giveBack(_ byteCount: Int) {
        let isOpen = account.withLock { account in
            if !account.isClosed { account.held -= byteCount }
            return !account.isClosed
        }
        if isOpen { pool.release(byteCount) }
    }

    /// The task has ended.
    package func close() {
        let held = account.withLock { account in
            defer { account = Account(held: 0, isClosed: true) }
            return account.held
        }
        if held > 0 { pool.release(held) }
    }
}
