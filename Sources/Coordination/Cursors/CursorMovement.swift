// What FETCH and MOVE do to a cursor: from a direction and a position to steps, as the SQL standard and PostgreSQL have it.

import SQLParser

/// Rows passed over or given in one direction.
struct CursorStep: Hashable, Sendable {
    var isForward: Bool
    /// `.max`: to the end, or to the place before the first row.
    var count: Int

    static func forward(_ count: Int) -> CursorStep { CursorStep(isForward: true, count: count) }
    static func backward(_ count: Int) -> CursorStep { CursorStep(isForward: false, count: count) }
}

/// Steps whose rows nobody sees, and the one whose rows are the statement's.
struct CursorMovement: Hashable, Sendable {
    var passed: [CursorStep] = []
    var given: CursorStep?

    /// `position`: the row that the cursor is on, 0 before the first one; after the last one `isOnRow` is false.
    init(_ direction: Fetch.Direction, position: Int, isOnRow: Bool) {
        switch direction {
        case .forward(0), .backward(0), .relative(0):
            // The current row once more, if there is one.
            guard isOnRow else { return }
            passed = [.backward(1)]
            given = .forward(1)
        case .forward(let count):
            given = CursorStep(isForward: (count ?? 1) > 0, count: Self.magnitude(count))
        case .backward(let count):
            given = CursorStep(isForward: (count ?? 1) < 0, count: Self.magnitude(count))
        case .relative(let count):
            let isForward = count > 0
            let magnitude = Self.magnitude(count)
            if magnitude > 1 { passed = [CursorStep(isForward: isForward, count: magnitude - 1)] }
            given = CursorStep(isForward: isForward, count: 1)
        case .absolute(0):
            if position > 0 { passed = [.backward(.max)] }
        case .absolute(let row) where row > 0:
            let before = Self.magnitude(row) - 1
            if before < position { passed = [.backward(position - before)] }
            if before > position { passed = [.forward(before - position)] }
            given = .forward(1)
        case .absolute(let row):
            passed = [.forward(.max)]
            let magnitude = Self.magnitude(row)
            if magnitude > 1 { passed.append(.backward(magnitude - 1)) }
            given = .backward(1)
        }
    }

    private static func magnitude(_ count: Int64?) -> Int { count.map { Int(clamping: $0.magnitude) } ?? .max }
}
