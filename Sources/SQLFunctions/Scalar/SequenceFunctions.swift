// nextval and its kin. Sequences live on the coordinator, so plans that call these functions compute them there.

import Columnar
import Diagnostics
import QueryPlan

/// The sequences of the session that a query runs for.
package protocol SequenceAccess: Sendable {
    /// The next number; remembered for `currval` and `lastval`.
    func next(_ name: String) throws -> Int64
    /// The number that this session got last from the sequence.
    func current(_ name: String) throws -> Int64
    func set(_ name: String, to value: Int64, isCalled: Bool) throws -> Int64
    /// The number that this session got last from any sequence.
    func last() throws -> Int64
}

/// How kernels find the sequences: set for the tasks of the coordinator's process while a statement runs.
package enum SequenceScope {
    @TaskLocal package static var current: (any SequenceAccess)?
}

package enum SequenceFunctions {
    /// Functions that only the coordinator's process can compute.
    package static let names: Set<String> = ["nextval", "currval", "setval", "lastval"]

    static func register(in registry: FunctionRegistry) {
        func add(
            _ name: String, _ parameters: [ParameterType], _ text: String,
            _ compute: @escaping @Sendable (any SequenceAccess, [Vector], Int) throws -> Int64
        ) {
            registry.scalar(
                name, parameters, .int64, volatility: .volatile, canFail: true,
                FunctionDocumentation("Sequences", text)
            ) { arguments, result, count, context in
                guard let sequences = context.sequences else {
                    throw QueryError.notSupported("\(name) at this place of a distributed query")
                }
                let vector = Vector(flat: result, capacity: count)
                let values = vector.values(Int64.self)
                for row in 0..<count {
                    let isNull = arguments.contains { $0.isNull(row) }
                    values[row] = isNull ? 0 : try compute(sequences, arguments, row)
                }
                vector.count = count
                return vector
            }
        }
        @Sendable func text(_ vector: Vector, _ row: Int) -> String { vector.value(at: row).text ?? "" }
        @Sendable func integer(_ vector: Vector, _ row: Int) -> Int64 {
            if case .integer(let value) = vector.value(at: row) { value } else { 0 }
        }
        add("nextval", [.text], "Takes the next number of a sequence.") {
            try $0.next(text($1[0], $2))
        }
        add("currval", [.text], "The number that this session took last from the sequence.") {
            try $0.current(text($1[0], $2))
        }
        add("setval", [.text, .int64], "Sets a sequence: the next number is the one behind the value.") {
            try $0.set(text($1[0], $2), to: integer($1[1], $2), isCalled: true)
        }
        add(
            "setval", [.text, .int64, .boolean],
            "Sets a sequence; with false the next number is the value itself."
        ) {
            var isCalled = true
            if case .boolean(let flag) = $1[2].value(at: $2) { isCalled = flag }
            return try $0.set(text($1[0], $2), to: integer($1[1], $2), isCalled: isCalled)
        }
        add("lastval", [], "The number that this session took last from any sequence.") { access, _, _ in
            try access.last()
        }
    }
}
