// The same look-up for many files, by several threads.

import Dispatch
import Synchronization

extension Array where Element: Sendable {
    private static var pieceCountMax: Int { 4 }

    /// `body` for consecutive pieces of at least `minimum` elements, a few at the same time. The results of all pieces in
    /// order; the first error in that order.
    package func mappedInPieces<Result: Sendable>(
        of minimum: Int, _ body: @Sendable (ArraySlice<Element>) throws -> [Result]
    ) throws -> [Result] {
        let pieceCount = Swift.min(Self.pieceCountMax, count / minimum)
        if pieceCount < 2 { return try body(self[...]) }
        let pieces = Mutex([Swift.Result<[Result], any Error>?](repeating: nil, count: pieceCount))
        DispatchQueue.concurrentPerform(iterations: pieceCount) { piece in
            let range = count * piece / pieceCount..<count * (piece + 1) / pieceCount
            let made = Swift.Result { try body(self[range]) }
            pieces.withLock { $0[piece] = made }
        }
        return try pieces.withLock { $0 }.flatMap { try $0?.get() ?? [] }
    }
}
