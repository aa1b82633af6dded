// TPCHStorage: the TPC-H data set as a catalogue, generated while it is read. A schema is a scale factor: sf1, "sf0.1",
// tiny.
//
//   TPCHPlugin        what configuration selects as "tpch"
//   TPCHBackend       the catalogue: schemas by scale factor, the same eight tables in each
//   TPCHTableProvider one table at one scale: statistics without generating, splits as ranges of units
//   KeyRange          which units can hold the keys that predicates ask for
//   TPCHReader        the rows of a split

import Diagnostics
import EngineConfiguration
import PluginHost
import Storage
import TPCHData

/// The plug-in. It has no options: the data is the same everywhere.
package struct TPCHPlugin: EnginePlugin {
    package let name = "tpch"

    package init() {}

    package func makeStorageBackend(_ section: ConfigurationSection) throws -> (any StorageBackend)? {
        try section.checkKeys([])
        return TPCHBackend()
    }
}

/// The catalogue. Every scale factor that the generator has is a schema; the listed ones are those that people use.
package final class TPCHBackend: StorageBackend {
    private static let listedSchemas = ["tiny", "sf0.01", "sf0.1", "sf1", "sf10", "sf100"]

    package init() {}

    package func schemaNames() async throws -> [String] { TPCHBackend.listedSchemas }

    package func tableNames(schema: String) async throws -> [String] {
        guard try TPCHBackend.scale(ofSchema: schema) != nil else { return [] }
        return TPCHTable.allCases.map(\.rawValue).sorted()
    }

    package func table(schema: String, name: String) async throws -> (any TableProvider)? {
        guard let scale = try TPCHBackend.scale(ofSchema: schema), let table = TPCHTable(rawValue: name) else {
            return nil
        }
        return TPCHTableProvider(table, scale)
    }

    /// The scale factor that a schema's name stands for: `tiny`, or `sf` and a decimal number. `nil` for other names;
    /// throws 22023 for a number that the generator cannot do.
    package static func scale(ofSchema name: String) throws -> TPCHScale? {
        if name == "tiny" { return .tiny }
        guard name.hasPrefix("sf") else { return nil }
        let number = name.dropFirst(2)
        guard let first = number.utf8.first, first >= UInt8(ascii: "0"), first <= UInt8(ascii: "9"),
            number.utf8.allSatisfy({ $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") || $0 == UInt8(ascii: ".") }),
            let factor = Double(number)
        else { return nil }
        return try TPCHScale(factor)
    }
}
