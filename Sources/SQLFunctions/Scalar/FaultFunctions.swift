// Functions that break or hold up the process that evaluates them, for tests of what others do then. They exist only in
// processes that were started with MARTLET_TEST_FUNCTIONS.

import Columnar
import Diagnostics

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

enum FaultFunctions {
    static func register(in registry: FunctionRegistry) {
        guard getenv("MARTLET_TEST_FUNCTIONS") != nil else { return }
        registry.scalar(
            "debug_trap", [.int64], .int64, volatility: .volatile, canFail: true,
            FunctionDocumentation("Tests", "The number, if it is that of a byte; others end the process.")
        ) { arguments, type, count, _ in
            let numbers = ValueColumn<Int64>(arguments[0])
            var sum: Int64 = 0
            // The conversion traps, as a defect of an operator does.
            for row in 0..<count where !arguments[0].isNull(row) { sum = Int64(UInt8(numbers[row])) }
            return .constant(.integer(sum), type: type, count: count)
        }
        registry.scalar(
            "debug_gate", [.text], .boolean, volatility: .volatile, canFail: true,
            FunctionDocumentation("Tests", "True, as soon as there is no file of that name.")
        ) { arguments, type, count, _ in
            let names = ViewColumn(arguments[0])
            let rowCount = arguments[0].encoding == .constant ? min(count, 1) : count
            for row in 0..<rowCount where !arguments[0].isNull(row) {
                let name = names.string(row)
                while access(name, F_OK) == 0 { try Interruption.wait(until: .now + .milliseconds(20)) }
            }
            return .constant(.boolean(true), type: type, count: count)
        }
    }
}
