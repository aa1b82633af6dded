// Credit is memory: what readers may have under way is taken from the budget of their query, and goes back.

import Diagnostics
import PhysicalOps
import Testing
import Transport
import WorkerRuntime

@Suite("Exchange funds")
struct ExchangeFundTests {
    @Test("a channel gets what it wants while there is memory, then less, and in the end error 53200")
    func shrinks() throws {
        let pool = MemoryPool(name: "the query", limit: 16 << 20)
        let fund = ExchangeFund(pool: pool, channelCount: 2)
        try MemoryPool(name: "an operator", parent: pool).reserve(13 << 20, for: "a join")
        #expect(try fund.take(2 << 20) == 2 << 20)
        #expect(try fund.take(2 << 20) == 1 << 20)
        #expect(pool.reservedByteCount == 16 << 20)
        let error = #expect(throws: QueryError.self) { try fund.take(2 << 20) }
        #expect(error?.state == .outOfMemory)
        fund.giveBack(1 << 20)
        let other = MemoryPool(name: "an operator", parent: pool)
        try other.reserve((1 << 20) - 3 * smallestExchangeWindow, for: "a sort")
        #expect(try fund.take(2 << 20) == 2 * smallestExchangeWindow)
    }

    @Test("the channels of a task share its limit, down to the smallest window")
    func shares() throws {
        let pool = MemoryPool(name: "the query")
        let fund = ExchangeFund(pool: pool, channelCount: 64)
        #expect(try fund.take(2 << 20) == ExchangeFund.taskByteLimit / 64)
        let many = ExchangeFund(pool: pool, channelCount: 10_000)
        #expect(try many.take(2 << 20) == smallestExchangeWindow)
    }

    @Test("of little memory the first channel leaves some for the others, and for operators")
    func leavesRoom() throws {
        let pool = MemoryPool(name: "the query", limit: 2 << 20)
        let fund = ExchangeFund(pool: pool, channelCount: 2)
        #expect(try fund.take(2 << 20) == 256 << 10)
        #expect(try fund.take(2 << 20) == 256 << 10)
        try pool.reserve(3 << 19, for: "a sort")
    }

    @Test("the end of a task gives back what its channels hold, once")
    func closes() throws {
        let pool = MemoryPool(name: "the query")
        let fund = ExchangeFund(pool: pool, channelCount: 1)
        let first = try fund.take(1 << 20)
        let second = try fund.take(1 << 20)
        fund.giveBack(first)
        fund.close()
        #expect(pool.reservedByteCount == 0)
        fund.giveBack(second)
        fund.close()
        #expect(pool.reservedByteCount == 0)
        let error = #expect(throws: QueryError.self) { try fund.take(1 << 20) }
        #expect(error?.state == .queryCanceled)
    }
}
