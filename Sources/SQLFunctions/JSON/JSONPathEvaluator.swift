// Evaluation of a path over one value: SQL/JSON's lax and strict modes as PostgreSQL carries them out.

import Columnar
import Diagnostics

/// Confined to one thread and one row.
final class JSONPathEvaluator {
    enum Outcome { case ok, notFound, failed }
    enum Truth { case `false`, `true`, unknown }

    private let root: JSONNode
    private let variables: JSONNode?
    /// Operators are given no variables: every one of them is null.
    private let missingIsNull: Bool
    private let isLax: Bool
    /// Whether errors of the data end the evaluation or only spoil it.
    private var throwsErrors: Bool
    private var ignoresStructure: Bool
    /// The session's zone, for the functions that may use it.
    private let zone: TimeZoneData?
    private var current: JSONPathValue
    private var innermostArraySize = -1
    private let heap = StringHeap(chunkByteCount: 1 << 10)
    private var builder = JSONBuilder()
    /// What `keyvalue()` counts from, and its number.
    private var base: (node: JSONNode, id: Int)
    private var lastObjectID: Int
    private var depth = 0
    private static let depthMax = 2_000

    /// Error: 22023 if the variables are no object.
    init(
        _ path: JSONPath, _ root: JSONNode, variables: JSONNode?, isSilent: Bool, zone: TimeZoneData?,
        missingIsNull: Bool = false
    ) throws {
        if let variables, !variables.isObject {
            throw QueryError(
                .invalidParameterValue, "\"vars\" argument is not an object",
                detail: "Jsonpath parameters should be encoded as key-value pairs of \"vars\" object.")
        }
        self.root = root
        self.variables = variables
        self.missingIsNull = missingIsNull
        isLax = !path.isStrict
        throwsErrors = !isSilent
        ignoresStructure = isLax
        self.zone = zone
        current = JSONPathValue(root)
        base = (root, 0)
        lastObjectID = 2
    }

    /// The items of the path; without `items`, only whether there are any.
    func run(_ path: JSONPath, into items: JSONPathItems?) throws -> Outcome {
        if path.isStrict, items == nil {
            // Strict mode looks for errors in all items.
            let all = JSONPathItems()
            let outcome = try execute(path.root, 0, JSONPathValue(root), all)
            return outcome == .failed ? .failed : all.items.isEmpty ? .notFound : .ok
        }
        return try execute(path.root, 0, JSONPathValue(root), items)
    }

    /// The JSON value that an item is shown as.
    func node(of value: JSONPathValue) -> JSONNode {
        guard let moment = value.moment else { return value.node }
        var text: [UInt8] = []
        moment.append(to: &text)
        return made { $0.string(text) }
    }

    // MARK: - Values made on the way

    private func made(_ body: (inout JSONBuilder) -> Void) -> JSONNode {
        builder.removeAll()
        body(&builder)
        let bytes = builder.takeBytes()
        let target = heap.reserve(bytes.count)
        bytes.withUnsafeBufferPointer { buffer in
            if let source = buffer.baseAddress { target.update(from: source, count: buffer.count) }
        }
        return JSONNode(target, count: bytes.count)
    }

    private func fail(_ code: String, _ message: String) throws -> Outcome {
        if throwsErrors { throw QueryError(SQLState(code), message) }
        return .failed
    }
    private func failStructure(_ code: String, _ message: String) throws -> Outcome {
        ignoresStructure ? .notFound : try fail(code, message)
    }

    // MARK: - Items

    private func execute(_ chain: JSONPathChain, _ index: Int, _ value: JSONPathValue, _ found: JSONPathItems?) throws
        -> Outcome
    {
        try execute(chain, index, value, found, unwraps: isLax)
    }

    /// What follows item `index` applied to a value; at the end of the chain the value is a result.
    private func next(_ chain: JSONPathChain, _ index: Int, _ value: JSONPathValue, _ found: JSONPathItems?) throws
        -> Outcome
    {
        if index + 1 < chain.count { return try execute(chain, index + 1, value, found) }
        found?.items.append(value)
        return .ok
    }

    private func execute(
        _ chain: JSONPathChain, _ index: Int, _ value: JSONPathValue, _ found: JSONPathItems?, unwraps: Bool
    ) throws -> Outcome {
        depth += 1
        defer { depth -= 1 }
        if depth > JSONPathEvaluator.depthMax { throw QueryError(.statementTooComplex, "stack depth limit exceeded") }
        let hasNext = index + 1 < chain.count
        let item = chain[index]
        if item.isPredicate {
            let truth = try test(item, value)
            if !hasNext && found == nil { return .ok }
            let result = made { builder in
                switch truth {
                case .unknown: builder.null()
                case .true: builder.boolean(true)
                case .false: builder.boolean(false)
                }
            }
            return try next(chain, index, JSONPathValue(result), found)
        }
        switch item {
        case .null, .boolean, .number, .string, .variable:
            // A variable that is not there is an error even where nobody wants its value.
            let isVariable = if case .variable = item { true } else { false }
            if !hasNext && found == nil && !isVariable { return .ok }
            let saved = base
            defer { base = saved }
            return try next(chain, index, JSONPathValue(try literal(item)), found)
        case .root:
            let saved = base
            base = (root, 0)
            defer { base = saved }
            return try next(chain, index, JSONPathValue(root), found)
        case .current: return try next(chain, index, current, found)
        case .last:
            if !hasNext && found == nil { return .ok }
            let size = innermostArraySize
            return try next(chain, index, JSONPathValue(made { $0.integer(Int64(size - 1)) }), found)
        case .key(let name): return try member(name, chain, index, value, found, unwraps)
        case .anyKey:
            if value.isObject { return try descend(chain, index, value.node, found, 1, 1, 1, false, isLax) }
            if unwraps && value.isArray { return try unwrapTarget(chain, index, value, found) }
            return try failStructure("2203C", "jsonpath wildcard member accessor can only be applied to an object")
        case .anyElement:
            if value.isArray { return try descend(chain, index, value.node, found, 1, 1, 1, false, isLax) }
            if isLax { return try next(chain, index, value, found) }
            return try failStructure("22039", "jsonpath wildcard array accessor can only be applied to an array")
        case .subscripts(let subscripts): return try elements(subscripts, chain, index, value, found)
        case .anyLevel(let from, let to): return try levels(from, to, chain, index, value, found)
        case .filter(let predicate):
            if unwraps && value.isArray { return try unwrapTarget(chain, index, value, found) }
            guard try nestedTest(predicate, value) == .true else { return .notFound }
            return try next(chain, index, value, found)
        case .binary(let name, let left, let right):
            return try arithmetic(name, left, right, chain, index, value, found)
        case .plus(let operand), .minus(let operand):
            let isMinus = if case .minus = item { true } else { false }
            return try sign(isMinus, operand, chain, index, value, found)
        case .method(let method): return try call(method, chain, index, value, found, unwraps)
        case .datetime(let template):
            return try datetime(template, chain, index, value, found, unwraps)
        case .not, .isUnknown, .exists, .likeRegex: return .notFound
        }
    }

    private func literal(_ item: JSONPathItem) throws -> JSONNode {
        switch item {
        case .boolean(let flag): return made { $0.boolean(flag) }
        case .number(let number): return made { $0.number(number) }
        case .string(let text): return made { $0.string(text) }
        case .variable(let name):
            guard let value = name.withUnsafeBufferPointer({ variables?.member($0) }), let variables else {
                if missingIsNull { return made { $0.null() } }
                throw QueryError(
                    .undefinedObject, "could not find jsonpath variable \"\(String(decoding: name, as: UTF8.self))\"")
            }
            base = (variables, 1)
            return value
        default: return made { $0.null() }
        }
    }

    // MARK: - Accessors

    private func member(
        _ name: [UInt8], _ chain: JSONPathChain, _ index: Int, _ value: JSONPathValue, _ found: JSONPathItems?,
        _ unwraps: Bool
    ) throws -> Outcome {
        if value.isObject {
            if let member = name.withUnsafeBufferPointer({ value.node.member($0) }) {
                return try next(chain, index, JSONPathValue(member), found)
            }
            return try failStructure(
                "2203A", "JSON object does not contain key \"\(String(decoding: name, as: UTF8.self))\"")
        }
        if unwraps && value.isArray { return try unwrapTarget(chain, index, value, found) }
        return try failStructure("2203A", "jsonpath member accessor can only be applied to an object")
    }

    /// The item applied to the elements of an array instead of the array.
    private func unwrapTarget(
        _ chain: JSONPathChain, _ index: Int, _ value: JSONPathValue, _ found: JSONPathItems?
    ) throws -> Outcome {
        try descend(chain, index - 1, value.node, found, 1, 1, 1, false, false)
    }

    /// Applies what follows item `index` to the members of a container on levels `first` to `last`; `last` and `first`
    /// being the largest number means the leaves.
    private func descend(
        _ chain: JSONPathChain, _ index: Int, _ container: JSONNode, _ found: JSONPathItems?, _ level: Int,
        _ first: Int, _ last: Int, _ ignores: Bool, _ unwrapsNext: Bool
    ) throws -> Outcome {
        depth += 1
        defer { depth -= 1 }
        if depth > JSONPathEvaluator.depthMax { throw QueryError(.statementTooComplex, "stack depth limit exceeded") }
        if level > last { return .notFound }
        var outcome = Outcome.notFound
        for position in 0..<container.memberCount {
            let child = container.isObject ? container.value(position) : container.element(position)
            if level >= first || (first == Int.max && last == Int.max && !child.isContainer) {
                if index + 1 < chain.count {
                    let saved = ignoresStructure
                    if ignores { ignoresStructure = true }
                    defer { ignoresStructure = saved }
                    outcome = try execute(chain, index + 1, JSONPathValue(child), found, unwraps: unwrapsNext)
                    if outcome == .failed || (outcome == .ok && found == nil) { return outcome }
                } else if let found {
                    found.items.append(JSONPathValue(child))
                    outcome = .ok
                } else {
                    return .ok
                }
            }
            if level < last && child.isContainer {
                outcome = try descend(chain, index, child, found, level + 1, first, last, ignores, unwrapsNext)
                if outcome == .failed || (outcome == .ok && found == nil) { return outcome }
            }
        }
        return outcome
    }

    private func levels(
        _ from: Int?, _ to: Int?, _ chain: JSONPathChain, _ index: Int, _ value: JSONPathValue,
        _ found: JSONPathItems?
    ) throws -> Outcome {
        let first = from ?? Int.max
        let last = to ?? Int.max
        var outcome = Outcome.notFound
        if first == 0 {
            let saved = ignoresStructure
            ignoresStructure = true
            defer { ignoresStructure = saved }
            outcome = try next(chain, index, value, found)
            if outcome == .ok && found == nil { return outcome }
        }
        if value.isContainer {
            outcome = try descend(chain, index, value.node, found, 1, first, last, true, isLax)
        }
        return outcome
    }

    private func elements(
        _ subscripts: [JSONPathSubscript], _ chain: JSONPathChain, _ index: Int, _ value: JSONPathValue,
        _ found: JSONPathItems?
    ) throws -> Outcome {
        guard value.isArray || isLax else {
            return try failStructure("22039", "jsonpath array accessor can only be applied to an array")
        }
        let isSingleton = !value.isArray
        let size = isSingleton ? 1 : value.node.memberCount
        let savedSize = innermostArraySize
        innermostArraySize = size
        defer { innermostArraySize = savedSize }
        var outcome = Outcome.notFound
        for bounds in subscripts {
            guard var from = try position(bounds.from, value) else { return .failed }
            var to = from
            if let chain = bounds.to {
                guard let end = try position(chain, value) else { return .failed }
                to = end
            }
            if !ignoresStructure, from < 0 || from > to || to >= size {
                return try fail("22033", "jsonpath array subscript is out of bounds")
            }
            from = max(from, 0)
            to = min(to, size - 1)
            outcome = .notFound
            if from > to { continue }
            for place in from...to {
                let element = isSingleton ? value : JSONPathValue(value.node.element(place))
                if index + 1 == chain.count && found == nil { return .ok }
                outcome = try next(chain, index, element, found)
                if outcome == .failed || (outcome == .ok && found == nil) { return outcome }
            }
        }
        return outcome
    }

    /// A subscript's number, cut to an integer; `nil` after a failure.
    private func position(_ chain: JSONPathChain, _ value: JSONPathValue) throws -> Int? {
        let items = JSONPathItems()
        if try execute(chain, 0, value, items) == .failed { return nil }
        guard items.items.count == 1, items.items[0].isNumber else {
            _ = try fail("22033", "jsonpath array subscript is not a single numeric value")
            return nil
        }
        guard let integer = items.items[0].node.number.truncatedInteger, let narrow = Int32(exactly: integer) else {
            _ = try fail("22033", "jsonpath array subscript is out of integer range")
            return nil
        }
        return Int(narrow)
    }

    // MARK: - Arithmetic

    /// The items of an operand, arrays unwrapped in lax mode; `nil` after a failure.
    private func operand(_ chain: JSONPathChain, _ value: JSONPathValue, unwraps: Bool = true) throws
        -> [JSONPathValue]?
    {
        let items = JSONPathItems()
        if try execute(chain, 0, value, items) == .failed { return nil }
        guard unwraps && isLax, items.items.contains(where: \.isArray) else { return items.items }
        return items.items.flatMap { item -> [JSONPathValue] in
            guard item.isArray else { return [item] }
            return (0..<item.node.memberCount).map { JSONPathValue(item.node.element($0)) }
        }
    }

    private func arithmetic(
        _ name: JSONPathOperator, _ left: JSONPathChain, _ right: JSONPathChain, _ chain: JSONPathChain, _ index: Int,
        _ value: JSONPathValue, _ found: JSONPathItems?
    ) throws -> Outcome {
        guard let lefts = try operand(left, value), let rights = try operand(right, value) else { return .failed }
        guard lefts.count == 1, lefts[0].isNumber else {
            return try fail(
                "22038", "left operand of jsonpath operator \(name.rawValue) is not a single numeric value")
        }
        guard rights.count == 1, rights[0].isNumber else {
            return try fail(
                "22038", "right operand of jsonpath operator \(name.rawValue) is not a single numeric value")
        }
        let result: JSONNumber
        do {
            result = try JSONPathArithmetic.apply(name, lefts[0].node.number, rights[0].node.number)
        } catch {
            if throwsErrors { throw error }
            return .failed
        }
        if index + 1 == chain.count && found == nil { return .ok }
        return try next(chain, index, JSONPathValue(made { $0.number(result) }), found)
    }

    private func sign(
        _ isMinus: Bool, _ operand: JSONPathChain, _ chain: JSONPathChain, _ index: Int, _ value: JSONPathValue,
        _ found: JSONPathItems?
    ) throws -> Outcome {
        guard let items = try self.operand(operand, value) else { return .failed }
        let isLast = index + 1 == chain.count
        var outcome = Outcome.notFound
        for item in items {
            if item.isNumber {
                if isLast && found == nil { return .ok }
            } else {
                if isLast && found == nil { continue }
                return try fail(
                    "2203B", "operand of unary jsonpath operator \(isMinus ? "-" : "+") is not a numeric value")
            }
            var number = item.node.number
            if isMinus, !number.isZero { number.isNegative.toggle() }
            let result = try next(chain, index, JSONPathValue(made { $0.number(number) }), found)
            if result == .failed { return result }
            if result == .ok {
                if found == nil { return .ok }
                outcome = .ok
            }
        }
        return outcome
    }

    // MARK: - Methods

    private func call(
        _ method: JSONPathMethod, _ chain: JSONPathChain, _ index: Int, _ value: JSONPathValue,
        _ found: JSONPathItems?, _ unwraps: Bool
    ) throws -> Outcome {
        switch method {
        case .type:
            let name = value.typeName
            return try next(chain, index, JSONPathValue(made { $0.string(name) }), found)
        case .size:
            var size = 1
            if value.isArray {
                size = value.node.memberCount
            } else if !isLax {
                return try failStructure("22039", "jsonpath item method .size() can only be applied to an array")
            }
            return try next(chain, index, JSONPathValue(made { $0.integer(Int64(size)) }), found)
        default: break
        }
        if unwraps && value.isArray { return try unwrapTarget(chain, index, value, found) }
        switch method {
        case .double: return try double(chain, index, value, found)
        case .keyvalue: return try pairs(chain, index, value, found)
        default:
            guard value.isNumber else {
                return try fail(
                    "22036", "jsonpath item method .\(method.rawValue)() can only be applied to a numeric value")
            }
            let number = value.node.number
            let result: JSONNumber
            switch method {
            case .abs: result = number.absolute
            case .floor: result = number.floor
            default: result = number.ceiling
            }
            return try next(chain, index, JSONPathValue(made { $0.number(result) }), found)
        }
    }

    private func double(_ chain: JSONPathChain, _ index: Int, _ value: JSONPathValue, _ found: JSONPathItems?) throws
        -> Outcome
    {
        if value.isNumber {
            guard let number = try? TextFormat.parse(value.node.number.text, as: .float64),
                case .float(let double) = number, double.isFinite
            else {
                return try fail(
                    "22036",
                    "numeric argument of jsonpath item method .double() is out of range for type double precision")
            }
            return try next(chain, index, value, found)
        }
        guard value.isString else {
            return try fail(
                "22036", "jsonpath item method .double() can only be applied to a string or numeric value")
        }
        guard let parsed = try? TextFormat.parse(value.node.stringBytes, as: .float64),
            case .float(let double) = parsed, let number = JSONNumber(double)
        else {
            return try fail(
                "22036",
                "string argument of jsonpath item method .double() is not a valid representation of a double "
                    + "precision number")
        }
        return try next(chain, index, JSONPathValue(made { $0.number(number) }), found)
    }

    private func pairs(_ chain: JSONPathChain, _ index: Int, _ value: JSONPathValue, _ found: JSONPathItems?) throws
        -> Outcome
    {
        guard value.isObject else {
            return try fail("2203C", "jsonpath item method .keyvalue() can only be applied to an object")
        }
        let node = value.node
        if node.memberCount == 0 { return .notFound }
        if index + 1 == chain.count && found == nil { return .ok }
        let id = base.id * 10_000_000_000 + JSONPathIdentity.offset(of: node, in: base.node)
        var outcome = Outcome.notFound
        for position in 0..<node.memberCount {
            let pair = made { builder in
                builder.beginObject()
                builder.key("key")
                builder.string(node.key(position))
                builder.key("value")
                builder.node(node.value(position))
                builder.key("id")
                builder.integer(Int64(id))
                builder.end()
            }
            let saved = base
            base = (pair, lastObjectID)
            lastObjectID += 1
            defer { base = saved }
            outcome = try next(chain, index, JSONPathValue(pair), found)
            if outcome == .failed || (outcome == .ok && found == nil) { return outcome }
        }
        return outcome
    }

    private func datetime(
        _ template: JSONPathChain?, _ chain: JSONPathChain, _ index: Int, _ value: JSONPathValue,
        _ found: JSONPathItems?,
        _ unwraps: Bool
    ) throws -> Outcome {
        if unwraps && value.isArray { return try unwrapTarget(chain, index, value, found) }
        guard value.isString else {
            return try fail("22031", "jsonpath item method .datetime() can only be applied to a string")
        }
        if let template { return try datetime(template, chain, index, value, found) }
        guard let moment = JSONPathMoment(value.node.stringBytes) else {
            let text = String(decoding: value.node.stringBytes, as: UTF8.self)
            if !throwsErrors { return .failed }
            throw QueryError(
                SQLState("22031"), "datetime format is not recognized: \"\(text)\"",
                hint: "Use a datetime template argument to specify the input data format.")
        }
        if index + 1 == chain.count && found == nil { return .ok }
        return try next(chain, index, JSONPathValue(value.node, moment: moment), found)
    }

    private func datetime(
        _ template: JSONPathChain, _ chain: JSONPathChain, _ index: Int, _ value: JSONPathValue,
        _ found: JSONPathItems?
    ) throws -> Outcome {
        guard case .string(let pattern) = template[0] else {
            return try fail("22031", "jsonpath item method .datetime() can only be applied to a string")
        }
        let moment: JSONPathMoment
        do {
            moment = try JSONPathMoment(
                String(decoding: value.node.stringBytes, as: UTF8.self),
                template: DateTemplate(String(decoding: pattern, as: UTF8.self)))
        } catch {
            if throwsErrors { throw error }
            return .failed
        }
        if index + 1 == chain.count && found == nil { return .ok }
        return try next(chain, index, JSONPathValue(value.node, moment: moment), found)
    }

    // MARK: - Predicates

    private func nestedTest(_ predicate: JSONPathChain, _ value: JSONPathValue) throws -> Truth {
        let saved = current
        current = value
        defer { current = saved }
        return try test(predicate[0], value)
    }

    private func test(_ item: JSONPathItem, _ value: JSONPathValue) throws -> Truth {
        depth += 1
        defer { depth -= 1 }
        if depth > JSONPathEvaluator.depthMax { throw QueryError(.statementTooComplex, "stack depth limit exceeded") }
        switch item {
        case .binary(.and, let left, let right):
            let first = try test(left[0], value)
            if first == .false { return .false }
            let second = try test(right[0], value)
            return second == .true ? first : second
        case .binary(.or, let left, let right):
            let first = try test(left[0], value)
            if first == .true { return .true }
            let second = try test(right[0], value)
            return second == .false ? first : second
        case .not(let chain):
            switch try test(chain[0], value) {
            case .true: return .false
            case .false: return .true
            case .unknown: return .unknown
            }
        case .isUnknown(let chain): return try test(chain[0], value) == .unknown ? .true : .false
        case .exists(let chain): return try exists(chain, value)
        case .binary(.startsWith, let left, let right):
            return try compareAll(left, right, value, unwrapsRight: false) { a, b in
                guard a.isString, let b, b.isString else { return .unknown }
                return a.node.stringBytes.starts(with: b.node.stringBytes) ? .true : .false
            }
        case .binary(let name, let left, let right):
            return try compareAll(left, right, value, unwrapsRight: true) { a, b in
                guard let b else { return .unknown }
                return try self.compare(name, a, b)
            }
        case .likeRegex(let chain, let pattern, let flags):
            let regex = try JSONPathEvaluator.regex(pattern, flags)
            let scratch = Regex.Scratch(regex)
            return try compareAll(chain, nil, value, unwrapsRight: false) { a, _ in
                guard a.isString else { return .unknown }
                return try regex.occurs(in: a.node.stringBytes, scratch) ? .true : .false
            }
        default: return .unknown
        }
    }

    private static func regex(_ pattern: [UInt8], _ flags: String) throws -> Regex {
        // XQuery: a dot matches no line end unless flag s says so, ^ and $ match at lines only with flag m.
        var converted = flags.contains("i") ? "i" : ""
        if flags.contains("q") {
            converted += "q"
        } else {
            switch (flags.contains("s"), flags.contains("m")) {
            case (true, true): converted += "w"
            case (true, false): break
            case (false, true): converted += "n"
            case (false, false): converted += "p"
            }
        }
        return try RegexCache.regex(String(decoding: pattern, as: UTF8.self), flags: converted)
    }

    private func exists(_ chain: JSONPathChain, _ value: JSONPathValue) throws -> Truth {
        let saved = throwsErrors
        throwsErrors = false
        defer { throwsErrors = saved }
        let items = isLax ? nil : JSONPathItems()
        let outcome = try execute(chain, 0, value, items)
        if outcome == .failed { return .unknown }
        if let items { return items.items.isEmpty ? .false : .true }
        return outcome == .ok ? .true : .false
    }

    /// Any pair of items that satisfies a comparison: lax mode stops at the first, strict mode at the first that cannot
    /// be compared.
    private func compareAll(
        _ left: JSONPathChain, _ right: JSONPathChain?, _ value: JSONPathValue, unwrapsRight: Bool,
        _ compare: (JSONPathValue, JSONPathValue?) throws -> Truth
    ) throws -> Truth {
        let saved = throwsErrors
        throwsErrors = false
        defer { throwsErrors = saved }
        guard let lefts = try operand(left, value) else { return .unknown }
        var rights: [JSONPathValue?] = [nil]
        if let right {
            guard let items = try operand(right, value, unwraps: unwrapsRight) else { return .unknown }
            rights = items
        }
        var isFound = false
        var isUnknown = false
        for a in lefts {
            for b in rights {
                switch try compare(a, b) {
                case .unknown:
                    if !isLax { return .unknown }
                    isUnknown = true
                case .true:
                    if isLax { return .true }
                    isFound = true
                case .false: break
                }
            }
        }
        return isFound ? .true : isUnknown ? .unknown : .false
    }

    private func compare(_ name: JSONPathOperator, _ a: JSONPathValue, _ b: JSONPathValue) throws -> Truth {
        let order: Int
        if let x = a.moment, let y = b.moment {
            guard let result = try JSONPathMoment.compare(x, y, zone: zone) else { return .unknown }
            order = result
        } else {
            let isSameKind =
                a.moment == nil && b.moment == nil
                && ((a.isNumber && b.isNumber) || (a.isString && b.isString)
                    || (a.node.isBoolean && b.node.isBoolean) || (a.node.isNull && b.node.isNull))
            if !isSameKind {
                // Null differs from everything else; other kinds do not compare.
                let hasNull = (a.moment == nil && a.node.isNull) || (b.moment == nil && b.node.isNull)
                guard hasNull else { return .unknown }
                return name == .notEqual ? .true : .false
            }
            order = JSONOrder.compareScalars(a.node, b.node)
        }
        let holds: Bool
        switch name {
        case .equal: holds = order == 0
        case .notEqual: holds = order != 0
        case .less: holds = order < 0
        case .greater: holds = order > 0
        case .lessOrEqual: holds = order <= 0
        case .greaterOrEqual: holds = order >= 0
        default: return .unknown
        }
        return holds ? .true : .false
    }
}
