// Functions of the catalogue that give rows.

import Columnar
import Diagnostics

enum CatalogTableFunctions {
    static func register(in registry: FunctionRegistry) {
        for array in [ParameterType.anyArray, .exact(.indexVector(.int16)), .exact(.indexVector(.oid))] {
            registry.register(
                TableFunction(
                    "_pg_expandarray", [array],
                    resultFields: { types in
                        [
                            Field(name: "x", type: types[0].elementType ?? .text),
                            Field(name: "n", type: .int32, isNullable: false),
                        ]
                    },
                    documentation: CatalogFunctions.documentation("The elements of an array with their numbers from 1.")
                ) { arguments, types, emit in
                    guard case .bytes(let bytes) = arguments[0], let element = types[0].elementType else { return }
                    let values = ArrayBlob.elements(bytes, elementType: element)
                    if values.isEmpty { return }
                    let rows = values.enumerated().map { [$0.element, ScalarValue.integer(Int64($0.offset + 1))] }
                    try emit(Batch.rows(rows, types: [element, .int32]))
                })
        }
        registry.register(
            TableFunction(
                "pg_partition_ancestors", [CatalogFunctions.regclass],
                resultFields: { _ in [Field(name: "relid", type: .registered(.relation))] },
                documentation: CatalogFunctions.documentation("The partitioned tables above a table: there are none.")
            ) { _, _, _ in })
    }
}
