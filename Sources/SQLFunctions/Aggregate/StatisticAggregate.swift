// Variance, standard deviation, covariance, correlation and regression.

import Columnar
import Diagnostics

enum StatisticAggregates {
    static func register(in registry: FunctionRegistry) {
        let variances: [(String, VarianceLogic.Result, String)] = [
            ("stddev", .sampleDeviation, "Sample standard deviation."),
            ("stddev_samp", .sampleDeviation, "Sample standard deviation."),
            ("stddev_pop", .populationDeviation, "Population standard deviation."),
            ("variance", .sampleVariance, "Sample variance."), ("var_samp", .sampleVariance, "Sample variance."),
            ("var_pop", .populationVariance, "Population variance."),
        ]
        for (name, result, text) in variances {
            registry.aggregate(name, [.float64], .float64, FunctionDocumentation("Statistics", text)) { _, _ in
                StateAggregate(VarianceLogic(result: result))
            }
        }
        let pairs: [(String, CovarianceLogic.Result, String)] = [
            ("corr", .correlation, "Correlation coefficient."),
            ("covar_pop", .populationCovariance, "Population covariance."),
            ("covar_samp", .sampleCovariance, "Sample covariance."),
            ("regr_slope", .slope, "Slope of the least-squares line."),
            ("regr_intercept", .intercept, "Intercept of the least-squares line."),
            ("regr_r2", .determination, "Square of the correlation coefficient."),
            ("regr_avgx", .averageX, "Mean of the independent variable."),
            ("regr_avgy", .averageY, "Mean of the dependent variable."),
            ("regr_sxx", .sumXX, "Sum of squares of the independent variable."),
            ("regr_syy", .sumYY, "Sum of squares of the dependent variable."),
            ("regr_sxy", .sumXY, "Sum of products of both variables."),
        ]
        for (name, result, text) in pairs {
            registry.aggregate(name, [.float64, .float64], .float64, FunctionDocumentation("Statistics", text)) {
                _, _ in
                StateAggregate(CovarianceLogic(result: result, resultType: .float64))
            }
        }
        registry.aggregate(
            "regr_count", [.float64, .float64], .int64,
            FunctionDocumentation("Statistics", "Number of rows where neither argument is null.")
        ) { _, _ in StateAggregate(CovarianceLogic(result: .count, resultType: .int64)) }
    }
}

struct VarianceState {
    var count: Double = 0
    var mean: Double = 0
    /// Sum of squared distances from the mean.
    var squares: Double = 0
}

/// Welford's running variance; states are joined by Chan's formula.
struct VarianceLogic: AggregateLogic {
    enum Result: Sendable { case sampleVariance, populationVariance, sampleDeviation, populationDeviation }
    let result: Result
    var resultType: DataType { .float64 }
    var initial: VarianceState { VarianceState() }
    var exportedTypes: [DataType] { [.float64, .float64, .float64] }

    func prepare(_ arguments: [Vector]) -> UnsafePointer<Double> { UnsafePointer(arguments[0].values(Double.self)) }
    @inline(__always)
    func add(_ state: UnsafeMutablePointer<VarianceState>, _ input: UnsafePointer<Double>, _ row: Int) {
        let value = input[row]
        state.pointee.count += 1
        let delta = value - state.pointee.mean
        state.pointee.mean += delta / state.pointee.count
        state.pointee.squares += delta * (value - state.pointee.mean)
    }
    func combine(_ state: UnsafeMutablePointer<VarianceState>, _ other: UnsafePointer<VarianceState>) {
        let b = other.pointee
        if b.count == 0 { return }
        let a = state.pointee
        if a.count == 0 {
            state.pointee = b
            return
        }
        let count = a.count + b.count
        let delta = b.mean - a.mean
        state.pointee = VarianceState(
            count: count, mean: a.mean + delta * b.count / count,
            squares: a.squares + b.squares + delta * delta * a.count * b.count / count)
    }
    func export(_ state: UnsafePointer<VarianceState>, to columns: [Vector], row: Int) {
        columns[0].values(Double.self)[row] = state.pointee.count
        columns[1].values(Double.self)[row] = state.pointee.mean
        columns[2].values(Double.self)[row] = state.pointee.squares
    }
    func load(_ columns: [Vector], row: Int) -> VarianceState {
        VarianceState(
            count: columns[0].values(Double.self)[row], mean: columns[1].values(Double.self)[row],
            squares: columns[2].values(Double.self)[row])
    }
    func finish(_ state: UnsafePointer<VarianceState>, to result: Vector, row: Int) throws {
        let isSample = self.result == .sampleVariance || self.result == .sampleDeviation
        let divisor = isSample ? state.pointee.count - 1 : state.pointee.count
        if divisor <= 0 { return result.setNull(row) }
        let variance = max(state.pointee.squares, 0) / divisor
        let isDeviation = self.result == .sampleDeviation || self.result == .populationDeviation
        result.values(Double.self)[row] = isDeviation ? variance.squareRoot() : variance
    }
}

struct CovarianceState {
    var count: Double = 0
    var meanX: Double = 0
    var meanY: Double = 0
    var sumXX: Double = 0
    var sumYY: Double = 0
    var sumXY: Double = 0
}

/// Moments of pairs (y, x): the first argument is the dependent variable.
struct CovarianceLogic: AggregateLogic {
    enum Result: Sendable {
        case correlation, populationCovariance, sampleCovariance, slope, intercept, determination, averageX, averageY,
            sumXX,
            sumYY, sumXY, count
    }
    struct Input {
        var y: UnsafePointer<Double>
        var x: UnsafePointer<Double>
    }
    let result: Result
    let resultType: DataType
    var initial: CovarianceState { CovarianceState() }
    var exportedTypes: [DataType] { Array(repeating: .float64, count: 6) }

    func prepare(_ arguments: [Vector]) -> Input {
        Input(y: UnsafePointer(arguments[0].values(Double.self)), x: UnsafePointer(arguments[1].values(Double.self)))
    }
    func add(_ state: UnsafeMutablePointer<CovarianceState>, _ input: Input, _ row: Int) {
        let x = input.x[row]
        let y = input.y[row]
        var s = state.pointee
        s.count += 1
        let deltaX = x - s.meanX
        let deltaY = y - s.meanY
        s.meanX += deltaX / s.count
        s.meanY += deltaY / s.count
        s.sumXX += deltaX * (x - s.meanX)
        s.sumYY += deltaY * (y - s.meanY)
        s.sumXY += deltaX * (y - s.meanY)
        state.pointee = s
    }
    func combine(_ state: UnsafeMutablePointer<CovarianceState>, _ other: UnsafePointer<CovarianceState>) {
        let b = other.pointee
        if b.count == 0 { return }
        let a = state.pointee
        if a.count == 0 {
            state.pointee = b
            return
        }
        let count = a.count + b.count
        let deltaX = b.meanX - a.meanX
        let deltaY = b.meanY - a.meanY
        let weight = a.count * b.count / count
        state.pointee = CovarianceState(
            count: count, meanX: a.meanX + deltaX * b.count / count, meanY: a.meanY + deltaY * b.count / count,
            sumXX: a.sumXX + b.sumXX + deltaX * deltaX * weight, sumYY: a.sumYY + b.sumYY + deltaY * deltaY * weight,
            sumXY: a.sumXY + b.sumXY + deltaX * deltaY * weight)
    }
    func export(_ state: UnsafePointer<CovarianceState>, to columns: [Vector], row: Int) {
        let s = state.pointee
        for (column, value) in zip(columns, [s.count, s.meanX, s.meanY, s.sumXX, s.sumYY, s.sumXY]) {
            column.values(Double.self)[row] = value
        }
    }
    func load(_ columns: [Vector], row: Int) -> CovarianceState {
        func value(_ index: Int) -> Double { columns[index].values(Double.self)[row] }
        return CovarianceState(
            count: value(0), meanX: value(1), meanY: value(2), sumXX: value(3), sumYY: value(4), sumXY: value(5))
    }
    func finish(_ state: UnsafePointer<CovarianceState>, to result: Vector, row: Int) throws {
        let s = state.pointee
        if self.result == .count {
            result.values(Int64.self)[row] = Int64(s.count)
            return
        }
        guard let value = value(s) else { return result.setNull(row) }
        result.values(Double.self)[row] = value
    }
    private func value(_ s: CovarianceState) -> Double? {
        if s.count == 0 { return nil }
        switch result {
        case .correlation: return s.sumXX == 0 || s.sumYY == 0 ? nil : s.sumXY / (s.sumXX * s.sumYY).squareRoot()
        case .populationCovariance: return s.sumXY / s.count
        case .sampleCovariance: return s.count < 2 ? nil : s.sumXY / (s.count - 1)
        case .slope: return s.sumXX == 0 ? nil : s.sumXY / s.sumXX
        case .intercept: return s.sumXX == 0 ? nil : s.meanY - s.meanX * s.sumXY / s.sumXX
        case .determination:
            if s.sumXX == 0 { return nil }
            return s.sumYY == 0 ? 1 : s.sumXY * s.sumXY / (s.sumXX * s.sumYY)
        case .averageX: return s.meanX
        case .averageY: return s.meanY
        case .sumXX: return s.sumXX
        case .sumYY: return s.sumYY
        case .sumXY: return s.sumXY
        case .count: return s.count
        }
    }
}
