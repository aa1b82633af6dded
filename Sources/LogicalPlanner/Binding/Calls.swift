// Function calls: scalar functions, aggregates, set-returning functions, GROUPING, and functions of the session.

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions
import SQLParser

extension StatementBinder {
    func bindFunction(_ call: FunctionCall, _ scope: Scope, at position: SourcePosition) throws -> Expression {
        let name = try functionName(call.name)
        let call = try withOrderedArguments(positional(name, call, at: position), name, at: position)
        if let argument = call.arguments.first(where: \.isVariadic) {
            if let bound = try bindVariadicJSON(name, call, scope, at: position) { return bound }
            let form = VariadicFunctions.name(name)
            if !registry.scalarOverloads(form).isEmpty, call.arguments.last?.isVariadic == true {
                return try callScalar(form, call.arguments.map { try operand($0.value, scope) }, at: position)
            }
            throw QueryError.notSupported("VARIADIC arguments", at: argument.value.position)
        }
        if let window = call.over { return try bindWindowCall(name, call, window, scope, at: position) }
        if !registry.aggregateOverloads(name).isEmpty { return try bindAggregate(name, call, scope, at: position) }
        if let function = HypotheticalSet(rawValue: name), !call.withinGroup.isEmpty {
            return try bindHypothetical(function, call, scope, at: position)
        }
        if !registry.windowOverloads(name).isEmpty {
            if !call.withinGroup.isEmpty {
                throw QueryError(
                    .undefinedFunction, "function \(name) with these arguments does not exist", at: position,
                    object: name)
            }
            if HypotheticalSet(rawValue: name) != nil, !call.arguments.isEmpty {
                throw QueryError(
                    .wrongObjectType, "WITHIN GROUP is required for ordered-set aggregate \(name)", at: position,
                    object: name)
            }
            throw QueryError(
                .wrongObjectType, "window function \(name) requires an OVER clause", at: position, object: name)
        }
        try refuseAggregateSyntax(name, call, at: position)
        if registry.scalarOverloads(name).isEmpty, let (symbol, type) = Self.operatorFunctions[name],
            (1...2).contains(call.arguments.count)
        {
            var arguments = try call.arguments.map { try operand($0.value, scope) }
            if arguments[0].type == .unknown || arguments[0].type == type {
                arguments[0].expression = try coerce(arguments[0].expression, to: type, at: arguments[0].position)
                return try callScalar(symbol, arguments, at: position)
            }
        }
        if registry.scalarOverloads(name).isEmpty {
            if !registry.tableOverloads(name).isEmpty {
                return try bindSetReturning(name, call, scope, at: position)
            }
            if let value = try bindSessionFunction(name, call, scope, at: position) { return value }
        }
        var arguments = try call.arguments.map { try operand($0.value, scope) }
        if name == "setseed" {
            throw QueryError.notSupported(
                "setseed", at: position,
                hint: "Random numbers are drawn on many threads at once, so no seed repeats them. "
                    + "Order by a hash of the rows to get the same sample again.")
        }
        if name == "pg_typeof", arguments.count == 1,
            let type = try declaredTypeName(call.arguments[0].value, scope)
        {
            let text = Operand(expression: .literal(.string(type), .unknown), position: position)
            return try explicitCast(text, to: NamedType(type: .registered(.type)), kind: .strict, at: position)
        }
        try refuseUnsafeLabels(name, arguments, at: position)
        if ["nextval", "currval", "setval"].contains(name), let first = arguments.first,
            first.type == .registered(.relation)
        {
            arguments[0].expression = try convert(first.expression, to: .text, at: first.position)
        }
        try checkJSONArgument(name, arguments, at: position)
        return try callScalar(name, arguments, at: position)
    }

    /// Functions behind operators that are called by their names as well, and the type of their first argument.
    private static let operatorFunctions: [String: (symbol: String, type: DataType)] = [
        "jsonb_contains": ("@>", .jsonb), "jsonb_contained": ("<@", .jsonb), "jsonb_exists": ("?", .jsonb),
        "jsonb_exists_any": ("?|", .jsonb), "jsonb_exists_all": ("?&", .jsonb), "jsonb_delete": ("-", .jsonb),
        "jsonb_delete_path": ("#-", .jsonb), "jsonb_concat": ("||", .jsonb), "jsonb_object_field": ("->", .jsonb),
        "jsonb_object_field_text": ("->>", .jsonb), "jsonb_array_element": ("->", .jsonb),
        "jsonb_array_element_text": ("->>", .jsonb), "jsonb_eq": ("=", .jsonb), "jsonb_ne": ("<>", .jsonb),
        "jsonb_lt": ("<", .jsonb), "jsonb_le": ("<=", .jsonb), "jsonb_gt": (">", .jsonb), "jsonb_ge": (">=", .jsonb),
        "jsonb_path_exists_opr": ("@?", .jsonb), "jsonb_path_match_opr": ("@@", .jsonb),
        "json_object_field": ("->", .json), "json_object_field_text": ("->>", .json),
        "json_array_element": ("->", .json), "json_array_element_text": ("->>", .json),
        "textcat": ("||", .text), "texteq": ("=", .text), "textne": ("<>", .text), "textlike": ("~~", .text),
        "textnlike": ("!~~", .text), "int4pl": ("+", .int32), "int4mi": ("-", .int32), "int4mul": ("*", .int32),
        "int4div": ("/", .int32), "int4mod": ("%", .int32), "int4eq": ("=", .int32), "int4ne": ("<>", .int32),
        "int4lt": ("<", .int32), "int4le": ("<=", .int32), "int4gt": (">", .int32), "int4ge": (">=", .int32),
        "int8pl": ("+", .int64), "int8mi": ("-", .int64), "int8mul": ("*", .int64), "int8eq": ("=", .int64),
        "int8lt": ("<", .int64), "int8gt": (">", .int64), "float8pl": ("+", .float64), "float8mi": ("-", .float64),
        "float8mul": ("*", .float64), "float8div": ("/", .float64), "float8eq": ("=", .float64),
        "float8lt": ("<", .float64), "float8gt": (">", .float64), "date_eq": ("=", .date), "date_lt": ("<", .date),
        "date_gt": (">", .date), "bitand": ("&", .bit(length: nil)),
        "bitor": ("|", .bit(length: nil)), "bitxor": ("#", .bit(length: nil)), "bitnot": ("~", .bit(length: nil)),
    ]

    /// The function's name in the registry; 42883 for a schema that has no functions.
    func functionName(_ name: ObjectName) throws -> String {
        let isOfInformationSchema = name.schema == "information_schema" && name.last.hasPrefix("_pg_")
        if let schema = name.schema, schema != "pg_catalog", !isOfInformationSchema {
            let text = name.parts.joined(separator: ".")
            let isKnown =
                ["public", "information_schema"].contains(schema)
                || session.searchPath.contains { $0.schema == schema }
            if !isKnown {
                throw QueryError(
                    SQLState("3F000"), "schema \"\(schema)\" does not exist", at: name.position, object: schema)
            }
            throw QueryError(
                .undefinedFunction, "function \(text) does not exist", at: name.position, object: text)
        }
        return name.last
    }

    private func refuseAggregateSyntax(_ name: String, _ call: FunctionCall, at position: SourcePosition) throws {
        var what: String?
        if call.isDistinct { what = "DISTINCT" }
        if !call.orderBy.isEmpty { what = "ORDER BY" }
        if call.filter != nil { what = "FILTER" }
        if !call.withinGroup.isEmpty { what = "WITHIN GROUP" }
        if call.isStar { what = name + "(*)" }
        guard let what else { return }
        let exists =
            !registry.scalarOverloads(name).isEmpty || !registry.tableOverloads(name).isEmpty
        throw QueryError(
            exists ? .wrongObjectType : .undefinedFunction,
            exists
                ? "\(what) specified, but \(name) is not an aggregate function" : "function \(name) does not exist",
            at: position, object: name)
    }

    // MARK: - Aggregates

    private func bindAggregate(
        _ name: String, _ call: FunctionCall, _ scope: Scope, at position: SourcePosition
    ) throws -> Expression {
        try placed(name, scope, at: position) {
            let bound = try aggregateCall(name, call, scope, at: position)
            // What stands in front of WITHIN GROUP has one value in a group.
            let direct = call.withinGroup.isEmpty ? [] : bound.arguments.dropLast(call.withinGroup.count)
            return AggregateParts(calls: [bound], direct: Array(direct))
        }[0]
    }

    /// Binds calls of aggregates and gives their columns, in the query that they belong to.
    func placed(
        _ name: String, _ scope: Scope, at position: SourcePosition, _ body: () throws -> AggregateParts
    ) throws -> [Expression] {
        // The aggregate belongs to the innermost query whose columns its arguments use; uses inside it are none of that
        // query's ungrouped columns.
        var useCounts: [(state: SelectState, count: Int)] = []
        var ancestor: Scope? = scope
        while let level = ancestor {
            if let state = level.select { useCounts.append((state, state.columnUses.count)) }
            ancestor = level.parent
        }
        let wasNested = scope.aggregateDepth > 0
        aggregateLevels.append((callDepth: scope.depth, deepest: nil))
        scope.aggregateDepth += 1
        let bound: AggregateParts
        do {
            defer { scope.aggregateDepth -= 1 }
            bound = try body()
        } catch {
            aggregateLevels.removeLast()
            throw error
        }
        let owner = aggregateLevels.removeLast().deepest ?? scope
        if owner === scope ? wasNested : owner.aggregateDepth > 0 {
            throw QueryError(.groupingError, "aggregate function calls cannot be nested", at: position)
        }
        guard let state = owner.select, owner.clause.isAfterGrouping, !owner.isLateral else {
            let message =
                owner.isLateral
                ? "aggregate functions are not allowed in FROM clause of their own query level"
                : "aggregate functions are not allowed in \(owner.clause.name)"
            throw QueryError(.groupingError, message, at: position)
        }
        for (counted, count) in useCounts where counted === state {
            let uses = Array(state.columnUses[count...])
            state.columnUses.removeLast(uses.count)
            state.directArguments += bound.direct.filter { !$0.columns.isEmpty }.map {
                .init(expression: $0, uses: uses, position: position)
            }
        }
        return bound.calls.map { call in
            let isVolatile = call.expressions.contains(where: \.isVolatile)
            if !isVolatile, let known = state.aggregates.first(where: { $0.call == call }) {
                return known.column.reference
            }
            let column = ids.column(name, call.type)
            state.aggregates.append(.init(column: column, call: call))
            return column.reference
        }
    }

    /// The call with arguments bound and cast.
    func aggregateCall(_ name: String, _ call: FunctionCall, _ scope: Scope, at position: SourcePosition) throws
        -> AggregateCall
    {
        var arguments = call.isStar ? [] : try call.arguments.map { try aggregateArgument($0.value, scope) }
        var ordering = try sortKeys(call.orderBy, scope)
        let within = try sortKeys(call.withinGroup, scope)
        if !within.isEmpty {
            arguments += zip(within, call.withinGroup).map {
                Operand(expression: $0.expression, position: $1.expression.position)
            }
            ordering = within
        }
        var (name, replaced) = try independentOfSession(name, arguments)
        arguments = replaced
        if within.first?.isDescending == true,
            !registry.aggregateOverloads(name + OrderedSets.descendingSuffix).isEmpty
        {
            name += OrderedSets.descendingSuffix
        }
        let resolved = try registry.resolveAggregate(
            name, arguments.map(\.type), literals: arguments.map(\.expression.literal), at: position)
        if resolved.function.isOrderedSet != !within.isEmpty {
            throw QueryError(
                .wrongObjectType,
                within.isEmpty
                    ? "WITHIN GROUP is required for ordered-set aggregate \(name)"
                    : "\(name) is not an ordered-set aggregate, so it cannot have WITHIN GROUP", at: position,
                object: name)
        }
        let converted = try zip(arguments, resolved.parameterTypes).map { argument, type in
            try exactLiteral(argument.expression, as: type)
                ?? convert(argument.expression, to: type, at: argument.position)
        }
        if !within.isEmpty {
            for (index, expression) in converted.suffix(within.count).enumerated() {
                ordering[index].expression = expression
            }
        }
        if call.isDistinct, within.isEmpty {
            let allowed = Set(converted + arguments.map(\.expression))
            for (key, item) in zip(ordering, call.orderBy) where !allowed.contains(key.expression) {
                throw QueryError(
                    .invalidColumnReference,
                    "in an aggregate with DISTINCT, ORDER BY expressions must appear in argument list",
                    at: item.expression.position)
            }
        }
        var filter: Expression?
        if let syntax = call.filter {
            filter = try coerceToBoolean(operand(syntax, scope), construct: "FILTER")
        }
        return AggregateCall(
            name: resolved.function.name, arguments: converted, isDistinct: call.isDistinct, filter: filter,
            ordering: ordering, type: resolved.resultType)
    }

    private func aggregateArgument(_ syntax: SyntaxExpression, _ scope: Scope) throws -> Operand {
        try operand(syntax, scope)
    }

    /// ORDER BY of calls and windows, and of queries once names and ordinals are dealt with.
    func sortKeys(_ items: [SortItem], _ scope: Scope) throws -> [SortKey] {
        try items.map { try sortKey($0, settled(bind($0.expression, scope), at: $0.expression.position)) }
    }

    func sortKey(_ item: SortItem, _ expression: Expression) throws -> SortKey {
        var isDescending = item.direction == .descending
        if let name = item.usingOperator {
            switch name.symbol {
            case "<": isDescending = false
            case ">": isDescending = true
            default:
                throw QueryError(
                    .wrongObjectType, "operator \(name.symbol) is not a valid ordering operator",
                    at: item.expression.position)
            }
        }
        if expression.type == .json {
            throw QueryError(
                .undefinedFunction, "could not identify an ordering operator for type json",
                at: item.expression.position)
        }
        var expression = expression
        if expression.type.elementType != nil || expression.type.recordFields != nil {
            expression = try orderKey(expression)
        }
        return SortKey(expression, isDescending: isDescending, nullsFirst: item.nulls.map { $0 == .first })
    }

    // MARK: - GROUPING

    func bindGrouping(_ arguments: [SyntaxExpression], _ scope: Scope, at position: SourcePosition) throws -> Expression
    {
        guard let state = scope.select, scope.clause.isAfterGrouping, scope.aggregateDepth == 0 else {
            throw QueryError(
                .groupingError, "grouping operations are not allowed in \(scope.clause.name)", at: position)
        }
        guard arguments.count <= 31 else {
            throw QueryError(SQLState("54023"), "GROUPING must have fewer than 32 arguments", at: position)
        }
        let bound = try arguments.map { try bind($0, scope) }
        let column = ids.column("grouping", .int32)
        state.groupings.append(.init(column: column, arguments: bound, position: position))
        return column.reference
    }

    // MARK: - Set-returning functions

    private func bindSetReturning(
        _ name: String, _ call: FunctionCall, _ scope: Scope, at position: SourcePosition
    ) throws -> Expression {
        if scope.aggregateDepth > 0 {
            throw QueryError.notSupported(
                "a set-returning function within an aggregate", at: position,
                hint: "Move the set-returning function into a LATERAL FROM item.")
        }
        if let construct = scope.conditional {
            throw QueryError.notSupported(
                "a set-returning function in \(construct)", at: position,
                hint: "Move the set-returning function into a LATERAL FROM item.")
        }
        guard let state = scope.select, scope.clause.allowsSetReturning, scope.windowDepth == 0 else {
            throw QueryError(
                .featureNotSupported, "set-returning functions are not allowed in \(scope.clause.name)", at: position)
        }
        let bound = try tableFunctionCall(name, call.arguments.map { try operand($0.value, scope) }, at: position)
        let isRecord = bound.fields.count > 1
        func result(_ columns: [PlanColumn]) -> Expression {
            guard isRecord else { return columns[0].reference }
            let fields = bound.fields.map { Field(name: $0.name, type: $0.type) }
            return recordOf(columns.map(\.reference), type: .record(fields))
        }
        // `(f(x)).a, (f(x)).b` are columns of the same rows.
        if isRecord,
            let same = state.setReturning.first(where: { $0.name == bound.name && $0.arguments == bound.arguments })
        {
            return result(same.columns)
        }
        // Beside a longer one, a row of the function would be NULLs instead of NULL.
        if isRecord ? !state.setReturning.isEmpty : state.setReturning.contains(where: { $0.columns.count > 1 }) {
            throw QueryError.notSupported(
                "a function of several columns beside another set-returning function in the select list", at: position,
                hint: "Move the functions into a LATERAL FROM item.")
        }
        let columns = bound.fields.map { ids.column(isRecord ? $0.name : name, $0.type) }
        state.setReturning.append(
            .init(name: bound.name, arguments: bound.arguments, columns: columns, position: position))
        return result(columns)
    }

    /// A table function resolved, its arguments cast.
    func tableFunctionCall(_ name: String, _ arguments: [Operand], at position: SourcePosition) throws
        -> (name: String, arguments: [Expression], fields: [Field])
    {
        let resolved = try registry.resolveTable(
            name, arguments.map(\.type), literals: arguments.map(\.expression.literal), at: position)
        let converted = try zip(arguments, resolved.parameterTypes).map { argument, type in
            try convert(argument.expression, to: type, at: argument.position)
        }
        return (resolved.function.name, converted, try resolved.function.resultFields(resolved.parameterTypes))
    }

    // MARK: - Session functions

    /// Functions whose result is a property of the session; `nil` if the name is none of them.
    private func bindSessionFunction(
        _ name: String, _ call: FunctionCall, _ scope: Scope, at position: SourcePosition
    ) throws -> Expression? {
        func text(_ value: String) -> Expression { .literal(.string(value), .text) }
        func identifier(_ value: String) -> Expression { .literal(.string(value), .name) }
        let arguments = call.arguments
        switch (name, arguments.count) {
        case ("current_database", 0), ("current_catalog", 0): return identifier(session.database)
        case ("current_schema", 0): return currentSchema
        case ("current_user", 0), ("session_user", 0), ("user", 0): return identifier(session.user)
        case ("version", 0): return text(session.version)
        case ("current_schemas", 1):
            let withImplicit = try coerceToBoolean(operand(arguments[0].value, scope), construct: "current_schemas")
            guard let literal = fold(withImplicit).literal else {
                throw QueryError.notSupported("current_schemas of an expression", at: position)
            }
            if literal == .null { return .null(.array(.name)) }
            var schemas = literal == .boolean(true) ? ["pg_catalog"] : []
            for entry in session.searchPath
            where entry.schema != session.temporarySchema && !schemas.contains(entry.schema) {
                schemas.append(entry.schema)
            }
            return .literal(
                .bytes(ArrayBlob.encode(schemas.map { .string($0) }, elementType: .name)), .array(.name))
        case ("pg_backend_pid", 0): return .literal(.integer(Int64(session.processNumber)), .int32)
        case ("transaction_timestamp", 0), ("statement_timestamp", 0): return try callScalar("now", [], at: position)
        default:
            // A type's name called like a function is a cast.
            guard arguments.count == 1,
                let type = try? resolveType(TypeName(name: ObjectName([name], at: position)))
            else { return nil }
            return try explicitCast(operand(arguments[0].value, scope), to: type, kind: .strict, at: position)
        }
    }
}
