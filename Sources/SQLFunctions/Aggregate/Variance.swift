// The variance family, by Welford's recurrence; states merge by the formula of Chan, Golub and LeVeque (1979).

import Columnar
import Diagnostics
import QueryPlan

func varianceFunctions() -> [AggregateFunction] {
    func make(_ name: String, _ form: VarianceExecutor.Form, _ text: String) -> AggregateFunction {
        AggregateFunction(
            name, [.exact(.float64)], resultType: { _ in .float64 },
            documentation: FunctionDocumentation("Aggregate", text, example: "\(name)(x)")
        ) { _, _ in VarianceExecutor(form: form) }
    }
    return [
        make("var_samp", .init(isSample: true, isRoot: false), "Sample variance."),
        make("variance", .init(isSample: true, isRoot: false), "Sample variance."),
        make("var_pop", .init(isSample: false, isRoot: false), "Population variance."),
        make("stddev_samp", .init(isSample: true, isRoot: true), "Sample standard deviation."),
        make("stddev", .init(isSample: true, isRoot: true), "Sample standard deviation."),
        make("stddev_pop", .init(isSample: false, isRoot: true), "Population standard deviation."),
    ]
}

/// State: count, mean and sum of squared distances, three Doubles.
final class VarianceExecutor: AggregateExecutor {
    struct Form: Sendable {
        var isSample: Bool
        var isRoot: Bool
    }
    struct State {
        var count: Double
        var mean: Double
        var squares: Double

        mutating func add(_ value: Double) {
            count += 1
            let distance = value - mean
            mean += distance / count
            squares += distance * (value - mean)
        }

        mutating func add(_ other: State) {
            if other.count == 0 { return }
            let total = count + other.count
            let distance = other.mean - mean
            squares += other.squares + distance * distance * count * other.count / total
            mean += distance * other.count / total
            count = total
        }
    }
    let stateByteCount = 24
    let exportedTypes: [DataType] = [.float64, .float64, .float64]
    private let form: Form
    init(form: Form) { self.form = form }

    func initialize(_ states: StatePointers, offset: Int, count: Int) {
        for index in 0..<count {
            (states[index] + offset).storeBytes(of: State(count: 0, mean: 0, squares: 0), as: State.self)
        }
    }

    func update(_ states: StatePointers, offset: Int, arguments: [Vector], count: Int) throws {
        let vector = arguments[0].flattened()
        let values = vector.values(Double.self)
        for row in 0..<count where isPresent(vector.validity, row) {
            (states[row] + offset).assumingMemoryBound(to: State.self).pointee.add(values[row])
        }
    }

    func updateSingle(_ state: UnsafeMutableRawPointer, arguments: [Vector], count: Int) throws {
        let vector = arguments[0].flattened()
        let values = vector.values(Double.self)
        let target = state.assumingMemoryBound(to: State.self)
        for row in 0..<count where isPresent(vector.validity, row) { target.pointee.add(values[row]) }
    }

    func merge(_ states: StatePointers, offset: Int, exported: [Vector], count: Int) throws {
        let parts = exported.map { $0.flattened().values(Double.self) }
        for row in 0..<count {
            (states[row] + offset).assumingMemoryBound(to: State.self).pointee.add(
                State(count: parts[0][row], mean: parts[1][row], squares: parts[2][row]))
        }
    }

    func combine(_ states: StatePointers, sources: StatePointers, offset: Int, count: Int) throws {
        for row in 0..<count {
            let source = (sources[row] + offset).load(as: State.self)
            (states[row] + offset).assumingMemoryBound(to: State.self).pointee.add(source)
        }
    }

    func export(_ states: StatePointers, offset: Int, count: Int) throws -> [Vector] {
        let vectors = exportedTypes.map { Vector(flat: $0, capacity: count) }
        for row in 0..<count {
            let state = (states[row] + offset).load(as: State.self)
            vectors[0].values(Double.self)[row] = state.count
            vectors[1].values(Double.self)[row] = state.mean
            vectors[2].values(Double.self)[row] = state.squares
        }
        return vectors
    }

    func finalize(_ states: StatePointers, offset: Int, count: Int) throws -> Vector {
        let vector = Vector(flat: .float64, capacity: count)
        for row in 0..<count {
            let state = (states[row] + offset).load(as: State.self)
            let divisor = form.isSample ? state.count - 1 : state.count
            let variance = divisor > 0 ? state.squares / divisor : 0
            vector.values(Double.self)[row] = form.isRoot ? variance.squareRoot() : variance
            if divisor <= 0 { Validity.setNull(vector.ensureValidity(), row) }
        }
        return vector
    }
}
