// The settings named debug.…: they change how queries run, for tests, and never their rows.

import Columnar
import LogicalPlanner
import QueryPlan

extension SessionSettings {
    package var variation: ExecutionVariation {
        let batchRowCount = Int(self["debug.batch_size"]) ?? 0
        return ExecutionVariation(
            batchRowCount: batchRowCount == 0 ? nil : batchRowCount,
            encoding: ExecutionVariation.Encoding(rawValue: self["debug.vector_encoding"]),
            joinDistribution: ExecutionVariation.JoinDistribution(rawValue: self["debug.join_distribution"]),
            disabledRules: Self.ruleNames(self["debug.disabled_rules"]),
            bindsSplitsLate: self["debug.late_splits"] == "on")
    }

    static func isVariation(_ name: String, _ value: String) -> Bool {
        switch name {
        case "debug.batch_size": Int(value).map { (0...Batch.rowCountMax).contains($0) } ?? false
        case "debug.vector_encoding": value.isEmpty || ExecutionVariation.Encoding(rawValue: value) != nil
        case "debug.join_distribution": value.isEmpty || ExecutionVariation.JoinDistribution(rawValue: value) != nil
        case "debug.late_splits": value == "on" || value == "off"
        case "debug.disabled_rules": ruleNames(value).allSatisfy(RuleSets.optionalRuleNames.contains)
        default: true
        }
    }

    private static func ruleNames(_ text: String) -> [String] {
        text.split(separator: ",").map { part in String(part.filter { $0 != " " }) }.filter { !$0.isEmpty }
    }
}
