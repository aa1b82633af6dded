// Physical nodes. The switches name every case: a new node does not compile until it can travel.

import Columnar
import Diagnostics
import QueryPlan

extension ByteWriter {
    package mutating func node(_ node: PhysicalNode) throws(QueryError) {
        try nested { (writer) throws(QueryError) in
            writer.int(node.id)
            try writer.schema(node.output)
            writer.double(node.estimatedRowCount)
            try writer.nodeKind(node.kind)
        }
    }

    private mutating func nodeKind(_ kind: PhysicalNode.Kind) throws(QueryError) {
        switch kind {
        case .scan(let scan):
            byte(scan.storeQuery.map(Self.scanByte) ?? 0)
            tableName(scan.table)
            try positions(scan.projection)
            try expressions(scan.predicates)
            try optionalInt(scan.limit)
            flag(scan.isReplicated)
            if let query = scan.storeQuery {
                if let joins = query.joins { try storeJoins(joins) }
                try storeQuery(query)
            }
        case .values(let values):
            byte(1)
            try list(values.rows) { (writer, row) throws(QueryError) in try writer.expressions(row) }
        case .filter(let filter):
            byte(2)
            try expression(filter.predicate)
            try node(filter.input)
        case .project(let project):
            byte(3)
            try expressions(project.expressions)
            try node(project.input)
        case .aggregate(let aggregate):
            byte(4)
            try self.aggregate(aggregate)
        case .hashJoin(let join):
            byte(5)
            try hashJoin(join)
        case .nestedLoopJoin(let join):
            byte(6)
            byte(join.kind.rawValue)
            try expression(join.condition)
            try node(join.left)
            try node(join.right)
        case .sort(let sort):
            byte(7)
            try sortKeys(sort.keys)
            try optionalInt(sort.limit)
            int(sort.offset)
            flag(sort.withTies)
            try node(sort.input)
        case .limit(let limit):
            byte(8)
            try optionalInt(limit.limit)
            int(limit.offset)
            try node(limit.input)
        case .union(let union):
            byte(9)
            try list(union.inputs) { (writer, input) throws(QueryError) in try writer.node(input) }
        case .window(let window):
            byte(10)
            try expressions(window.partitions)
            try sortKeys(window.ordering)
            try list(window.calls) { (writer, call) throws(QueryError) in try writer.windowCall(call) }
            try node(window.input)
        case .tableFunction(let function):
            byte(11)
            try tableFunction(function)
        case .recursive(let recursive):
            byte(12)
            int(recursive.workingTable)
            flag(recursive.keepsDuplicates)
            try node(recursive.base)
            try node(recursive.step)
        case .workingTable(let id):
            byte(13)
            int(id)
        case .write(let write):
            byte(14)
            try writeTarget(write.target)
            try node(write.input)
        case .exchangeSource(let source):
            byte(source.copy == nil ? 15 : 16)
            int(source.stage.number)
            try sortKeys(source.mergeKeys)
            if let copy = source.copy { int(copy) }
        }
    }

    private static func scanByte(_ query: StoreQuery) -> UInt8 {
        guard let joins = query.joins else { return 17 }
        return joins.extensions.isEmpty ? 18 : 19
    }

    private mutating func storeJoins(_ joins: StoreQuery.Joins) throws(QueryError) {
        try storeTables(joins.tables)
        if !joins.extensions.isEmpty {
            try list(joins.extensions) { (writer, part) throws(QueryError) in
                try writer.storeTables(part.tables)
                try writer.expressions(part.predicates)
            }
        }
        try list(joins.restrictions) { (writer, restriction) throws(QueryError) in
            writer.flag(restriction.isNegated)
            try writer.storeTables(restriction.tables)
            try writer.expressions(restriction.predicates)
        }
        try positions(joins.output)
    }

    private mutating func storeTables(_ tables: [StoreQuery.Table]) throws(QueryError) {
        try list(tables) { (writer, table) throws(QueryError) in
            writer.tableName(table.name)
            writer.string(table.description)
            writer.int(table.columnCount)
        }
    }

    private mutating func storeQuery(_ query: StoreQuery) throws(QueryError) {
        try expressions(query.predicates)
        flag(query.grouping != nil)
        if let grouping = query.grouping {
            try expressions(grouping.groups)
            try list(grouping.aggregates) { (writer, call) throws(QueryError) in try writer.aggregateCall(call) }
        }
        try sortKeys(query.ordering)
        try optionalInt(query.limit)
    }

    private mutating func aggregate(_ node: AggregateNode) throws(QueryError) {
        byte(node.mode.rawValue)
        try expressions(node.groups)
        try list(node.groupingSets) { (writer, set) throws(QueryError) in try writer.positions(set) }
        try list(node.aggregates) { (writer, call) throws(QueryError) in try writer.aggregateCall(call) }
        try self.node(node.input)
    }

    private mutating func hashJoin(_ node: HashJoinNode) throws(QueryError) {
        byte(node.kind.rawValue)
        try expressions(node.leftKeys)
        try expressions(node.rightKeys)
        try list(node.nullsAreEqual) { (writer, flag) throws(QueryError) in writer.flag(flag) }
        try optional(node.residual) { (writer, residual) throws(QueryError) in try writer.expression(residual) }
        flag(node.isNullAware)
        try positions(node.outputColumns)
        flag(node.isBroadcast)
        try self.node(node.left)
        try self.node(node.right)
    }

    private mutating func tableFunction(_ node: TableFunctionNode) throws(QueryError) {
        string(node.name)
        try expressions(node.arguments)
        try list(node.functionTypes) { (writer, type) throws(QueryError) in try writer.type(type) }
        flag(node.withOrdinality)
        flag(node.isOuter)
        try self.node(node.input)
    }

    package mutating func tableName(_ name: TableName) {
        string(name.catalog)
        string(name.schema)
        string(name.table)
    }

    private mutating func writeTarget(_ target: WriteTarget) throws(QueryError) {
        switch target {
        case .insert(let table):
            byte(0)
            tableName(table)
        case .file(let path, let format, let options, let columns):
            byte(1)
            string(path)
            string(format)
            // Sorted, so that equal plans have equal bytes.
            try list(options.sorted { $0.key < $1.key }) { (writer, option) throws(QueryError) in
                writer.string(option.key)
                writer.string(option.value)
            }
            try list(columns) { (writer, field) throws(QueryError) in try writer.field(field) }
        }
    }

    package mutating func positions(_ values: [Int]) throws(QueryError) {
        try list(values) { (writer, value) throws(QueryError) in writer.int(value) }
    }

    package mutating func optionalInt(_ value: Int?) throws(QueryError) {
        try optional(value) { (writer, value) throws(QueryError) in writer.int(value) }
    }
}

extension ByteReader {
    package mutating func node() throws(QueryError) -> PhysicalNode {
        try nested { (reader) throws(QueryError) in
            let id = try reader.int()
            let output = try reader.schema()
            let rows = try reader.double()
            return PhysicalNode(id: id, kind: try reader.nodeKind(), output: output, estimatedRowCount: rows)
        }
    }

    private mutating func nodeKind() throws(QueryError) -> PhysicalNode.Kind {
        switch try byte() {
        case 0:
            return .scan(
                ScanNode(
                    table: try tableName(), projection: try positions(), predicates: try expressions(),
                    limit: try optionalPosition(), isReplicated: try flag()))
        case 1:
            return .values(ValuesNode(rows: try list { (reader) throws(QueryError) in try reader.expressions() }))
        case 2: return .filter(FilterNode(predicate: try expression(), input: try node()))
        case 3: return .project(ProjectNode(expressions: try expressions(), input: try node()))
        case 4: return .aggregate(try aggregate())
        case 5: return .hashJoin(try hashJoin())
        case 6:
            return .nestedLoopJoin(
                NestedLoopJoinNode(
                    kind: try choice(), condition: try expression(), left: try node(), right: try node()))
        case 7:
            return .sort(
                SortNode(
                    keys: try sortKeys(), limit: try optionalPosition(), offset: try position(),
                    withTies: try flag(), input: try node()))
        case 8:
            return .limit(
                LimitNode(limit: try optionalPosition(), offset: try position(), input: try node()))
        case 9: return .union(UnionNode(inputs: try list { (reader) throws(QueryError) in try reader.node() }))
        case 10:
            return .window(
                WindowNode(
                    partitions: try expressions(), ordering: try sortKeys(),
                    calls: try list { (reader) throws(QueryError) in try reader.windowCall() }, input: try node()))
        case 11:
            return .tableFunction(
                TableFunctionNode(
                    name: try string(), arguments: try expressions(),
                    functionTypes: try list { (reader) throws(QueryError) in try reader.type() },
                    withOrdinality: try flag(), isOuter: try flag(), input: try node()))
        case 12:
            return .recursive(
                RecursiveNode(
                    workingTable: try int(), keepsDuplicates: try flag(), base: try node(), step: try node()))
        case 13: return .workingTable(try int())
        case 14: return .write(WriteNode(target: try writeTarget(), input: try node()))
        case 15: return .exchangeSource(ExchangeSourceNode(stage: StageID(try int()), mergeKeys: try sortKeys()))
        case 16:
            return .exchangeSource(
                ExchangeSourceNode(stage: StageID(try int()), mergeKeys: try sortKeys(), copy: try position()))
        case 17:
            return .scan(
                ScanNode(
                    table: try tableName(), projection: try positions(), predicates: try expressions(),
                    limit: try optionalPosition(), isReplicated: try flag(), storeQuery: try storeQuery()))
        case 18:
            return .scan(
                ScanNode(
                    table: try tableName(), projection: try positions(), predicates: try expressions(),
                    limit: try optionalPosition(), isReplicated: try flag(),
                    storeQuery: try storeQuery(joins: try storeJoins(isExtended: false))))
        case 19:
            return .scan(
                ScanNode(
                    table: try tableName(), projection: try positions(), predicates: try expressions(),
                    limit: try optionalPosition(), isReplicated: try flag(),
                    storeQuery: try storeQuery(joins: try storeJoins(isExtended: true))))
        default: throw .corrupt("an unknown kind of node")
        }
    }

    private mutating func storeJoins(isExtended: Bool) throws(QueryError) -> StoreQuery.Joins {
        StoreQuery.Joins(
            tables: try storeTables(),
            extensions: try isExtended
                ? list { (reader) throws(QueryError) in
                    StoreQuery.Extension(tables: try reader.storeTables(), predicates: try reader.expressions())
                } : [],
            restrictions: try list { (reader) throws(QueryError) in
                StoreQuery.Restriction(
                    isNegated: try reader.flag(), tables: try reader.storeTables(),
                    predicates: try reader.expressions())
            }, output: try positions())
    }

    private mutating func storeTables() throws(QueryError) -> [StoreQuery.Table] {
        try list { (reader) throws(QueryError) in
            StoreQuery.Table(
                name: try reader.tableName(), description: try reader.string(), columnCount: try reader.position())
        }
    }

    private mutating func storeQuery(joins: StoreQuery.Joins? = nil) throws(QueryError) -> StoreQuery {
        let predicates = try expressions()
        var grouping: StoreQuery.Grouping?
        if try flag() {
            grouping = StoreQuery.Grouping(
                groups: try expressions(),
                aggregates: try list { (reader) throws(QueryError) in try reader.aggregateCall() })
        }
        return StoreQuery(
            joins: joins, predicates: predicates, grouping: grouping, ordering: try sortKeys(),
            limit: try optionalPosition())
    }

    private mutating func aggregate() throws(QueryError) -> AggregateNode {
        let mode: AggregateNode.Mode = try choice()
        let groups = try expressions()
        let sets = try list { (reader) throws(QueryError) in try reader.positions() }
        guard sets.allSatisfy({ $0.allSatisfy { $0 < groups.count } }) else {
            throw .corrupt("a grouping set names a group that does not exist")
        }
        let calls = try list { (reader) throws(QueryError) in try reader.aggregateCall() }
        return AggregateNode(mode: mode, groups: groups, groupingSets: sets, aggregates: calls, input: try node())
    }

    private mutating func hashJoin() throws(QueryError) -> HashJoinNode {
        let kind: JoinKind = try choice()
        let leftKeys = try expressions()
        let rightKeys = try expressions()
        let nullsAreEqual = try list { (reader) throws(QueryError) in try reader.flag() }
        guard leftKeys.count == rightKeys.count, leftKeys.count == nullsAreEqual.count else {
            throw .corrupt("a join whose sides have different numbers of keys")
        }
        return HashJoinNode(
            kind: kind, leftKeys: leftKeys, rightKeys: rightKeys, nullsAreEqual: nullsAreEqual,
            residual: try optional { (reader) throws(QueryError) in try reader.expression() },
            isNullAware: try flag(), outputColumns: try positions(), isBroadcast: try flag(), left: try node(),
            right: try node())
    }

    package mutating func tableName() throws(QueryError) -> TableName {
        TableName(catalog: try string(), schema: try string(), table: try string())
    }

    private mutating func writeTarget() throws(QueryError) -> WriteTarget {
        switch try byte() {
        case 0: return .insert(try tableName())
        case 1:
            let path = try string()
            let format = try string()
            var options: [String: String] = [:]
            for _ in 0..<(try count()) {
                let name = try string()
                options[name] = try string()
            }
            return .file(
                path: path, format: format, options: options,
                columns: try list { (reader) throws(QueryError) in try reader.field() })
        default: throw .corrupt("an unknown target of a write")
        }
    }

    private mutating func optionalPosition() throws(QueryError) -> Int? {
        try optional { (reader) throws(QueryError) in try reader.position() }
    }
}
