// Sort keys, aggregate calls, window calls and their frames.

import Diagnostics
import QueryPlan

extension ByteWriter {
    package mutating func sortKeys(_ keys: [SortKey]) throws(QueryError) {
        try list(keys) { (writer, key) throws(QueryError) in
            try writer.expression(key.expression)
            writer.flag(key.isDescending)
            writer.flag(key.nullsFirst)
        }
    }

    package mutating func aggregateCall(_ call: AggregateCall) throws(QueryError) {
        string(call.name)
        try expressions(call.arguments)
        flag(call.isDistinct)
        try optional(call.filter) { (writer, filter) throws(QueryError) in try writer.expression(filter) }
        try sortKeys(call.ordering)
        try type(call.type)
    }

    package mutating func windowCall(_ call: WindowCall) throws(QueryError) {
        string(call.name)
        flag(call.isAggregate)
        try expressions(call.arguments)
        try optional(call.filter) { (writer, filter) throws(QueryError) in try writer.expression(filter) }
        flag(call.ignoresNulls)
        byte(call.frame.unit.rawValue)
        try frameBound(call.frame.start)
        try frameBound(call.frame.end)
        byte(call.frame.exclusion.rawValue)
        try type(call.type)
    }

    private mutating func frameBound(_ bound: FrameBound) throws(QueryError) {
        switch bound {
        case .unboundedPreceding: byte(0)
        case .unboundedFollowing: byte(1)
        case .currentRow: byte(2)
        case .preceding(let distance):
            byte(3)
            try expression(distance)
        case .following(let distance):
            byte(4)
            try expression(distance)
        }
    }
}

extension ByteReader {
    package mutating func sortKeys() throws(QueryError) -> [SortKey] {
        try list { (reader) throws(QueryError) in
            SortKey(try reader.expression(), isDescending: try reader.flag(), nullsFirst: try reader.flag())
        }
    }

    package mutating func aggregateCall() throws(QueryError) -> AggregateCall {
        AggregateCall(
            name: try string(), arguments: try expressions(), isDistinct: try flag(),
            filter: try optional { (reader) throws(QueryError) in try reader.expression() },
            ordering: try sortKeys(), type: try type())
    }

    package mutating func windowCall() throws(QueryError) -> WindowCall {
        let name = try string()
        let isAggregate = try flag()
        let arguments = try expressions()
        let filter = try optional { (reader) throws(QueryError) in try reader.expression() }
        let ignoresNulls = try flag()
        let frame = WindowFrame(
            unit: try choice(), start: try frameBound(), end: try frameBound(), exclusion: try choice())
        return WindowCall(
            name: name, isAggregate: isAggregate, arguments: arguments, filter: filter, ignoresNulls: ignoresNulls,
            frame: frame, type: try type())
    }

    private mutating func frameBound() throws(QueryError) -> FrameBound {
        switch try byte() {
        case 0: return .unboundedPreceding
        case 1: return .unboundedFollowing
        case 2: return .currentRow
        case 3: return .preceding(try expression())
        case 4: return .following(try expression())
        default: throw .corrupt("an unknown bound of a window frame")
        }
    }
}
