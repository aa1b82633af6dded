// Window calls: OVER clauses, named windows, frames.

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions
import SQLParser

extension StatementBinder {
    func bindWindowCall(
        _ name: String, _ call: FunctionCall, _ window: WindowReference, _ scope: Scope, at position: SourcePosition
    ) throws -> Expression {
        if scope.windowDepth > 0 {
            throw QueryError(.windowingError, "window function calls cannot be nested", at: position)
        }
        if scope.aggregateDepth > 0 {
            throw QueryError(
                .groupingError, "aggregate function calls cannot contain window function calls", at: position)
        }
        guard let state = scope.select, scope.clause.allowsWindows, !scope.isLateral else {
            throw QueryError(
                .windowingError, "window functions are not allowed in \(scope.clause.name)", at: position)
        }
        scope.windowDepth += 1
        defer { scope.windowDepth -= 1 }

        let specification = try resolveWindow(window, state)
        let partitions = try specification.partitionBy.map { try settled(bind($0, scope), at: $0.position) }
        let ordering = try sortKeys(specification.orderBy, scope)
        let frame = try bindFrame(specification.frame, ordering, scope)
        let bound = try windowCall(name, call, frame, scope, at: position)
        let entry = SelectState.Window(
            column: ids.column(name, bound.type), call: bound, partitions: Self.unique(partitions), ordering: ordering)
        let known = state.windows.first {
            $0.call == bound && $0.partitions == entry.partitions && $0.ordering == ordering
        }
        if let known, !bound.expressions.contains(where: \.isVolatile) { return known.column.reference }
        state.windows.append(entry)
        return entry.column.reference
    }

    static func unique(_ expressions: [Expression]) -> [Expression] {
        var seen: Set<Expression> = []
        return expressions.filter { seen.insert($0).inserted }
    }

    private func windowCall(
        _ name: String, _ call: FunctionCall, _ frame: WindowFrame, _ scope: Scope, at position: SourcePosition
    ) throws -> WindowCall {
        let ignoresNulls = call.nullTreatment == .ignoreNulls
        if !call.withinGroup.isEmpty, HypotheticalSet(rawValue: name) != nil {
            throw QueryError.notSupported("OVER for ordered-set aggregate \(name)", at: position)
        }
        guard !registry.windowOverloads(name).isEmpty else {
            guard !registry.aggregateOverloads(name).isEmpty else {
                let exists = !registry.scalarOverloads(name).isEmpty || !registry.tableOverloads(name).isEmpty
                throw QueryError(
                    exists ? .wrongObjectType : .undefinedFunction,
                    exists
                        ? "OVER specified, but \(name) is not a window function nor an aggregate function"
                        : "function \(name) does not exist", at: position, object: name)
            }
            if call.isDistinct { throw QueryError.notSupported("DISTINCT for window functions", at: position) }
            if !call.orderBy.isEmpty || !call.withinGroup.isEmpty {
                throw QueryError.notSupported("ORDER BY within an aggregate used as window function", at: position)
            }
            let aggregate = try aggregateCall(name, call, scope, at: position)
            return WindowCall(
                name: aggregate.name, isAggregate: true, arguments: aggregate.arguments, filter: aggregate.filter,
                ignoresNulls: ignoresNulls, frame: frame, type: aggregate.type)
        }
        if call.isDistinct { throw QueryError.notSupported("DISTINCT for window functions", at: position) }
        if call.filter != nil {
            throw QueryError.notSupported("FILTER for functions that are no aggregates", at: position)
        }
        let arguments = try call.arguments.map { try operand($0.value, scope) }
        let resolved = try registry.resolveWindow(
            name, arguments.map(\.type), literals: arguments.map(\.expression.literal), at: position)
        let converted = try zip(arguments, resolved.parameterTypes).map { argument, type in
            try exactLiteral(argument.expression, as: type)
                ?? convert(argument.expression, to: type, at: argument.position)
        }
        // Functions that look at the whole partition are the same under every frame.
        return WindowCall(
            name: resolved.function.name, isAggregate: false, arguments: converted, ignoresNulls: ignoresNulls,
            frame: resolved.function.usesFrame ? frame : WindowFrame(), type: resolved.resultType)
    }

    // MARK: - Specifications

    /// The specification with what it takes from the window that it names.
    private func resolveWindow(_ window: WindowReference, _ state: SelectState) throws -> ResolvedWindow {
        switch window {
        case .named(let name):
            guard let known = state.namedWindows[name.text] else { throw undefinedWindow(name) }
            return known
        case .specification(let specification): return try inherited(specification, state.namedWindows)
        }
    }

    private func undefinedWindow(_ name: Identifier) -> QueryError {
        QueryError(.undefinedObject, "window \"\(name.text)\" does not exist", at: name.position, object: name.text)
    }

    func inherited(_ specification: WindowSpecification, _ windows: [String: ResolvedWindow]) throws -> ResolvedWindow {
        guard let base = specification.base else {
            return ResolvedWindow(
                partitionBy: specification.partitionBy, orderBy: specification.orderBy, frame: specification.frame)
        }
        guard let known = windows[base.text] else { throw undefinedWindow(base) }
        if !specification.partitionBy.isEmpty {
            throw QueryError(
                .windowingError, "cannot override PARTITION BY clause of window \"\(base.text)\"", at: base.position)
        }
        if !specification.orderBy.isEmpty, !known.orderBy.isEmpty {
            throw QueryError(
                .windowingError, "cannot override ORDER BY clause of window \"\(base.text)\"", at: base.position)
        }
        if known.frame != nil {
            throw QueryError(
                .windowingError, "cannot copy window \"\(base.text)\" because it has a frame clause", at: base.position)
        }
        return ResolvedWindow(
            partitionBy: known.partitionBy,
            orderBy: specification.orderBy.isEmpty ? known.orderBy : specification.orderBy, frame: specification.frame)
    }

    // MARK: - Frames

    private func bindFrame(_ syntax: SyntaxWindowFrame?, _ ordering: [SortKey], _ scope: Scope) throws -> WindowFrame {
        guard let syntax else { return WindowFrame() }
        let unit: WindowFrame.Unit
        switch syntax.unit {
        case .rows: unit = .rows
        case .range: unit = .range
        case .groups: unit = .groups
        }
        let exclusion: WindowFrame.Exclusion
        switch syntax.exclusion {
        case nil, .noOthers: exclusion = .none
        case .currentRow: exclusion = .currentRow
        case .group: exclusion = .group
        case .ties: exclusion = .ties
        }
        if unit == .groups, ordering.isEmpty {
            throw QueryError(.windowingError, "GROUPS mode requires an ORDER BY clause", at: syntax.position)
        }
        let end = syntax.end ?? .currentRow
        try checkBounds(syntax.start, end, at: syntax.position)
        return WindowFrame(
            unit: unit, start: try bound(syntax.start, unit, ordering, scope, at: syntax.position),
            end: try bound(end, unit, ordering, scope, at: syntax.position), exclusion: exclusion)
    }

    private func checkBounds(
        _ start: SyntaxWindowFrame.Bound, _ end: SyntaxWindowFrame.Bound, at position: SourcePosition
    ) throws {
        var message: String?
        switch (start, end) {
        case (.unboundedFollowing, _): message = "frame start cannot be UNBOUNDED FOLLOWING"
        case (_, .unboundedPreceding): message = "frame end cannot be UNBOUNDED PRECEDING"
        case (.currentRow, .preceding): message = "frame starting from current row cannot have preceding rows"
        case (.following, .preceding), (.following, .currentRow):
            message = "frame starting from following row cannot end before it"
        default: break
        }
        if let message { throw QueryError(.windowingError, message, at: position) }
    }

    private func bound(
        _ syntax: SyntaxWindowFrame.Bound, _ unit: WindowFrame.Unit, _ ordering: [SortKey], _ scope: Scope,
        at position: SourcePosition
    ) throws -> FrameBound {
        switch syntax {
        case .unboundedPreceding: return .unboundedPreceding
        case .unboundedFollowing: return .unboundedFollowing
        case .currentRow: return .currentRow
        case .preceding(let distance):
            return .preceding(try frameDistance(distance, unit, ordering, scope, at: position))
        case .following(let distance):
            return .following(try frameDistance(distance, unit, ordering, scope, at: position))
        }
    }

    /// A whole number of rows or groups; for RANGE a distance between values of the only sort key.
    private func frameDistance(
        _ syntax: SyntaxExpression, _ unit: WindowFrame.Unit, _ ordering: [SortKey], _ scope: Scope,
        at position: SourcePosition
    ) throws -> Expression {
        let distance = try operand(syntax, scope)
        if distance.expression.hasSubquery {
            throw QueryError.notSupported("a sub-query as a frame offset", at: syntax.position)
        }
        if !distance.expression.columns.isEmpty {
            throw QueryError(
                .invalidColumnReference, "argument of \("\(unit)".uppercased()) must not contain variables",
                at: syntax.position)
        }
        var type = DataType.int64
        if unit == .range {
            guard ordering.count == 1, let key = ordering.first else {
                throw QueryError(
                    .windowingError, "RANGE with offset PRECEDING/FOLLOWING requires exactly one ORDER BY column",
                    at: position)
            }
            switch key.expression.type {
            case .date, .time, .timestamp, .timestampTZ, .interval: type = .interval
            case .int8, .int16, .int32, .int64: type = .int64
            case .numeric: type = .anyNumeric
            case .decimal(_, let scale):
                // A distance of more decimals would have to be rounded, up or down by the side of the frame.
                var isFiner = distance.type.isNumericBlob
                if case .decimal(_, let own) = distance.type, own > scale { isFiner = true }
                if isFiner {
                    throw QueryError.notSupported(
                        "a RANGE offset with more decimals than its sort key", at: syntax.position)
                }
                type = .decimal(precision: DataType.decimalPrecisionMax, scale: scale)
            case .float32, .float64: type = .float64
            default:
                let name = TypeConversion.displayName(key.expression.type)
                throw QueryError(
                    .featureNotSupported,
                    "RANGE with offset PRECEDING/FOLLOWING is not supported for column type \(name)", at: position)
            }
        }
        if unit == .range, !TypeConversion.canCast(from: distance.type, to: type, context: .implicit) {
            let names = [ordering[0].expression.type, distance.type].map(TypeConversion.displayName)
            throw QueryError(
                .featureNotSupported,
                "RANGE with offset PRECEDING/FOLLOWING is not supported for column type \(names[0]) and offset type "
                    + names[1], hint: "Cast the offset value to an appropriate type.", at: syntax.position)
        }
        let result = fold(
            try coerce(distance.expression, to: type, context: .assignment, at: syntax.position))
        if result.literal == .null {
            throw QueryError(.nullValueNotAllowed, "frame offset must not be null", at: syntax.position)
        }
        if let value = result.literal, value.isNegative(result.type) {
            throw QueryError(
                .invalidPrecedingOrFollowingSize, "frame starting or ending offset must not be negative",
                at: syntax.position)
        }
        return result
    }
}

extension ScalarValue {
    /// Whether a number or an interval is below zero.
    func isNegative(_ type: DataType) -> Bool {
        switch self {
        case .bytes(let bytes) where type.isNumericBlob: NumericBlob.value(bytes).signum < 0
        case .integer(let value): value < 0
        case .decimal(let value): value < 0
        case .float(let value): value < 0
        case .interval(let value): value.comparisonMicroseconds < 0
        default: false
        }
    }
}
