// SQLFunctions holds the functions, the registry they live in, and the evaluator. This file: the registry.
//
//   Registry/     what a function is; look-up by name and argument types
//   Evaluation/   expressions over batches
//   Cast/ Scalar/ Aggregate/ Window/ Table/   the functions, one family a file

import Columnar
import Diagnostics
import QueryPlan
import Synchronization

/// All functions by name: built-ins and those of plug-ins, by one path. Filled at start-up, read ever after.
package final class FunctionRegistry: Sendable {
    private struct State {
        var scalar: [String: [ScalarFunction]] = [:]
        var aggregate: [String: [AggregateFunction]] = [:]
        var window: [String: [WindowFunction]] = [:]
        var table: [String: [TableFunction]] = [:]
    }
    private let state = Mutex(State())

    /// Without any function.
    package init() {}

    package func register(_ function: ScalarFunction) {
        state.withLock { $0.scalar[function.name, default: []].append(function) }
    }
    package func register(_ function: AggregateFunction) {
        state.withLock { $0.aggregate[function.name, default: []].append(function) }
    }
    package func register(_ function: WindowFunction) {
        state.withLock { $0.window[function.name, default: []].append(function) }
    }
    package func register(_ function: TableFunction) {
        state.withLock { $0.table[function.name, default: []].append(function) }
    }

    package func scalarOverloads(_ name: String) -> [ScalarFunction] { state.withLock { $0.scalar[name] ?? [] } }
    package func aggregateOverloads(_ name: String) -> [AggregateFunction] {
        state.withLock { $0.aggregate[name] ?? [] }
    }
    package func windowOverloads(_ name: String) -> [WindowFunction] { state.withLock { $0.window[name] ?? [] } }
    package func tableOverloads(_ name: String) -> [TableFunction] { state.withLock { $0.table[name] ?? [] } }

    /// Whether a scalar function of that name asks for the catalogue.
    package func readsCatalog(_ name: String) -> Bool {
        state.withLock { $0.scalar[name]?.contains(where: \.readsCatalog) ?? false }
    }

    /// All overloads, in the order of their names.
    package var scalarFunctions: [ScalarFunction] { sorted { $0.scalar } }
    package var aggregateFunctions: [AggregateFunction] { sorted { $0.aggregate } }
    package var windowFunctions: [WindowFunction] { sorted { $0.window } }
    package var tableFunctions: [TableFunction] { sorted { $0.table } }

    private func sorted<Function: Sendable>(_ kind: @Sendable (State) -> [String: [Function]]) -> [Function] {
        state.withLock { kind($0) }.sorted { $0.key < $1.key }.flatMap(\.value)
    }

    /// Names of all functions, sorted; for hints, completion and the reference.
    package var names: [String] {
        state.withLock { state in
            Set(state.scalar.keys).union(state.aggregate.keys).union(state.window.keys).union(state.table.keys).sorted()
        }
    }
}
