// The flag by which an operator tells the sources in front of it that it wants no more.

import Synchronization

/// Raised once, seen by all drivers of the pipelines concerned. Thread-safe.
package final class StopFlag: Sendable {
    private let raised = Atomic<Bool>(false)
    package init() {}
    package var isRaised: Bool { raised.load(ordering: .relaxed) }
    package func raise() { raised.store(true, ordering: .relaxed) }
}
