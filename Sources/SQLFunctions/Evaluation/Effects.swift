// Expressions that do something besides having a value.

import QueryPlan

extension Expression {
    private static let functionsWithEffects: Set<String> = SequenceFunctions.names.union([
        "pg_sleep", "pg_sleep_for", "pg_sleep_until", "set_config",
    ])

    /// Whether computing it does something that others see, so that it is computed even if nobody reads its value.
    package var hasEffects: Bool {
        contains { if case .call(let call) = $0 { Self.functionsWithEffects.contains(call.name) } else { false } }
    }
}
