// What one call tells the client of an attached session in its trailers.

import Coordination
import Diagnostics
import GRPCCore
import Synchronization

/// Collected while the call is answered. Thread-safe.
final class CallReport: Sendable {
    /// Of the call that is being answered.
    @TaskLocal static var current: CallReport?

    private struct State {
        var tag: String?
        var notices: [QueryError] = []
        var isCopy = false
    }
    private let state = Mutex(State())

    /// A result that has begun.
    func noteNotices(_ result: StatementResult) { state.withLock { $0.notices += result.notices } }
    /// A result that was read to its end.
    func noteEnd(_ result: StatementResult) { state.withLock { $0.tag = result.tag } }
    func noteCopy() { state.withLock { $0.isCopy = true } }

    /// The trailers, with the state that the session has now.
    func metadata(_ session: Session) -> Metadata {
        let (tag, notices, isCopy) = state.withLock { ($0.tag, $0.notices, $0.isCopy) }
        var metadata = Metadata()
        let transaction =
            switch session.transactionStatus {
            case .idle: "idle"
            case .inTransaction: "open"
            case .failed: "failed"
            }
        metadata.addString(transaction, forKey: SessionMetadata.transactionKey)
        let settings = session.settings
        for name in SessionMetadata.settingNames {
            metadata.addString(settings[name], forKey: SessionMetadata.settingKey(name))
        }
        if let tag { metadata.addString(tag, forKey: SessionMetadata.tagKey) }
        if isCopy { metadata.addString("out", forKey: SessionMetadata.copyKey) }
        var room = SessionMetadata.noticeByteCountMax
        for (index, notice) in notices.enumerated() {
            let bytes = ErrorMessage(notice).wire
            room -= bytes.count
            guard room >= 0 else {
                let rest = QueryError(notice.state, "\(notices.count - index) more notices are not shown")
                metadata.addBinary(ErrorMessage(rest).wire, forKey: SessionMetadata.noticeKey)
                break
            }
            metadata.addBinary(bytes, forKey: SessionMetadata.noticeKey)
        }
        return metadata
    }
}
