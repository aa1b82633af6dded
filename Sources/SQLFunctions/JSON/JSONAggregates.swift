// Aggregates that collect rows into one JSON value.

import Columnar
import Diagnostics

enum JSONAggregates {
    static func register(in registry: FunctionRegistry) {
        func text(_ text: String) -> FunctionDocumentation { FunctionDocumentation("Aggregate", text) }
        registry.aggregate(
            "json_agg", [.any], .json, isOrderSensitive: true, text("All values, null ones too, as a JSON array.")
        ) { types, _ in
            let isSplit = types[0].elementType != nil || types[0].recordFields != nil
            return BoxAggregate(JSONArrayAggregate(resultType: .json, separator: isSplit ? ", \n " : ", "))
        }
        registry.aggregate(
            "json_agg_rows", [.exact(.json)], .json, isOrderSensitive: true,
            text("What json_agg of rows and arrays with times in the session's zone stands for.")
        ) { _, _ in BoxAggregate(JSONArrayAggregate(resultType: .json, separator: ", \n ")) }
        registry.aggregate(
            "jsonb_agg", [.any], .jsonb, isOrderSensitive: true, text("All values, null ones too, as a jsonb array.")
        ) { _, _ in BoxAggregate(JSONArrayAggregate(resultType: .jsonb, separator: "")) }
        registry.aggregate(
            "json_object_agg", [.any, .any], .json, isOrderSensitive: true,
            text("Keys and values of all rows as a JSON object.")
        ) { _, _ in BoxAggregate(JSONObjectAggregate(resultType: .json)) }
        registry.aggregate(
            "jsonb_object_agg", [.any, .any], .jsonb, isOrderSensitive: true,
            text("Keys and values of all rows as a jsonb object; of equal keys the last one.")
        ) { _, _ in BoxAggregate(JSONObjectAggregate(resultType: .jsonb)) }
    }
}

/// Values as JSON, each in its final form: text of json, blobs of jsonb.
final class JSONParts: AggregateBox {
    let type: DataType
    let hasKeys: Bool
    let keys = ValueList(type: .text)
    let values: ValueList
    /// Zones do not matter: the binder makes JSON of the values whose text they change.
    private let settings = TextSettings()

    init(type: DataType, hasKeys: Bool) {
        self.type = type
        self.hasKeys = hasKeys
        values = ValueList(type: type)
    }

    private func append(_ bytes: [UInt8], to list: ValueList) {
        let vector = Vector.constant(.bytes(bytes), type: list.vector.type, count: 1)
        list.append(vector, 0)
    }

    func add(_ arguments: [Vector], _ row: Int) throws {
        if hasKeys {
            if arguments[0].isNull(row) { throw QueryError(.invalidParameterValue, "field name must not be null") }
            append(try JSONConstruction.key(arguments[0], row, settings), to: keys)
        }
        let value = arguments[hasKeys ? 1 : 0]
        if type == .json {
            var text: [UInt8] = []
            try JSONConversion.append(value, row, settings: settings, into: &text)
            append(text, to: values)
        } else {
            var builder = JSONBuilder()
            try JSONConversion.build(value, row, settings: settings, into: &builder)
            append(try builder.finish(), to: values)
        }
    }

    func absorb(_ other: JSONParts) {
        keys.absorb(other.keys)
        values.absorb(other.values)
    }

    func value(_ index: Int) -> UnsafeBufferPointer<UInt8> { bytes(values, index) }
    func key(_ index: Int) -> UnsafeBufferPointer<UInt8> { bytes(keys, index) }
    private func bytes(_ list: ValueList, _ index: Int) -> UnsafeBufferPointer<UInt8> {
        let view = list.vector.views + index
        return UnsafeBufferPointer(start: StringView.bytes(at: view), count: view.pointee.count)
    }
}

struct JSONArrayAggregate: BoxLogic {
    let resultType: DataType
    let separator: String
    var skipsNulls: Bool { false }
    func makeBox() -> JSONParts { JSONParts(type: resultType, hasKeys: false) }

    func finish(_ box: JSONParts?, to result: Vector, row: Int, heap: StringHeap) throws {
        guard let box else { return result.setNull(row) }
        if resultType == .jsonb {
            var builder = JSONBuilder()
            builder.beginArray()
            for index in 0..<box.values.count { builder.node(JSONNode(box.value(index))) }
            builder.end()
            result.views[row] = try builder.withNode { heap.copy($0) }
            return
        }
        var text: [UInt8] = [0x5B]
        for index in 0..<box.values.count {
            if index > 0 {
                // Rows and arrays begin lines of their own; nulls among them do not.
                let isNull = box.value(index).first == 0x6E
                text.append(contentsOf: (isNull ? ", " : separator).utf8)
            }
            text.append(contentsOf: box.value(index))
        }
        text.append(0x5D)
        result.views[row] = heap.copy(text)
    }
}

struct JSONObjectAggregate: BoxLogic {
    let resultType: DataType
    var skipsNulls: Bool { false }
    func makeBox() -> JSONParts { JSONParts(type: resultType, hasKeys: true) }

    func finish(_ box: JSONParts?, to result: Vector, row: Int, heap: StringHeap) throws {
        guard let box else { return result.setNull(row) }
        if resultType == .jsonb {
            var builder = JSONBuilder()
            builder.beginObject()
            for index in 0..<box.values.count {
                builder.key(box.key(index))
                builder.node(JSONNode(box.value(index)))
            }
            builder.end()
            result.views[row] = try builder.withNode { heap.copy($0) }
            return
        }
        var text: [UInt8] = [0x7B, 0x20]
        for index in 0..<box.values.count {
            if index > 0 { text.append(contentsOf: [0x2C, 0x20]) }
            JSONText.appendQuoted(box.key(index), into: &text)
            text.append(contentsOf: " : ".utf8)
            text.append(contentsOf: box.value(index))
        }
        text.append(contentsOf: [0x20, 0x7D])
        result.views[row] = heap.copy(text)
    }
}
