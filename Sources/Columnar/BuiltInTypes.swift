// The types that clients know by PostgreSQL's numbers: what pg_type says of them, and names from numbers and back.

import Diagnostics

/// A type as clients look it up: a row of pg_type.
package struct BuiltInType: Hashable, Sendable {
    package var identifier: Int64
    /// The internal name, such as `int4`.
    package var name: String
    /// Bytes of a value, -1 if they differ, -2 for text that ends with zero.
    package var byteCount: Int
    /// `b` base, `p` pseudo.
    package var kind: String
    package var category: String
    package var arrayIdentifier: Int64
    package var elementIdentifier: Int64
    /// What the names of its input and output functions begin with.
    package var functionPrefix: String
    package var isPassedByValue: Bool
    package var isPreferred: Bool
    package var hasBinaryFunctions: Bool
    package var alignment: String
    package var storage: String
    package var collation: Int64
    package var modifierFunction: String?

    package var isArray: Bool { name.utf8.first == 0x5F }
}

package enum BuiltInTypes {
    /// Number, name, bytes, kind, category, array's number, element's number, prefix of functions, flags (v by value,
    /// p preferred, r binary form), alignment, storage, collation, function that reads modifiers.
    private static let specification = """
        16 bool 1 b B 1000 0 bool vpr c p 0 -
        17 bytea -1 b U 1001 0 bytea r i x 0 -
        18 char 1 b Z 1002 0 char vr c p 0 -
        19 name 64 b S 1003 18 name r c p 950 -
        20 int8 8 b N 1016 0 int8 vr d p 0 -
        21 int2 2 b N 1005 0 int2 vr s p 0 -
        22 int2vector -1 b A 1006 21 int2vector r i p 0 -
        23 int4 4 b N 1007 0 int4 vr i p 0 -
        24 regproc 4 b N 1008 0 regproc vr i p 0 -
        25 text -1 b S 1009 0 text pr i x 100 -
        26 oid 4 b N 1028 0 oid vpr i p 0 -
        27 tid 6 b U 1010 0 tid r s p 0 -
        28 xid 4 b U 1011 0 xid vr i p 0 -
        29 cid 4 b U 1012 0 cid vr i p 0 -
        30 oidvector -1 b A 1013 26 oidvector r i p 0 -
        114 json -1 b U 199 0 json_ r i x 0 -
        194 pg_node_tree -1 b Z 0 0 pg_node_tree_ r i x 100 -
        269 table_am_handler 4 p P 0 0 table_am_handler_ v i p 0 -
        325 index_am_handler 4 p P 0 0 index_am_handler_ v i p 0 -
        700 float4 4 b N 1021 0 float4 vr i p 0 -
        701 float8 8 b N 1022 0 float8 vpr d p 0 -
        705 unknown -2 p X 0 0 unknown r c p 0 -
        1033 aclitem 12 b U 1034 0 aclitem - i p 0 -
        1042 bpchar -1 b S 1014 0 bpchar r i x 100 bpchartypmodin
        1043 varchar -1 b S 1015 0 varchar r i x 100 varchartypmodin
        1082 date 4 b D 1182 0 date_ vr i p 0 -
        1083 time 8 b D 1183 0 time_ vr d p 0 timetypmodin
        1114 timestamp 8 b D 1115 0 timestamp_ vr d p 0 timestamptypmodin
        1184 timestamptz 8 b D 1185 0 timestamptz_ vpr d p 0 timestamptztypmodin
        1186 interval 16 b T 1187 0 interval_ pr d p 0 intervaltypmodin
        1266 timetz 12 b D 1270 0 timetz_ r d p 0 timetztypmodin
        1700 numeric -1 b N 1231 0 numeric_ r i m 0 numerictypmodin
        1560 bit -1 b V 1561 0 bit_ r i x 0 bittypmodin
        1562 varbit -1 b V 1563 0 varbit_ pr i x 0 varbittypmodin
        2202 regprocedure 4 b N 2207 0 regprocedure vr i p 0 -
        2203 regoper 4 b N 2208 0 regoper vr i p 0 -
        2204 regoperator 4 b N 2209 0 regoperator vr i p 0 -
        2205 regclass 4 b N 2210 0 regclass vr i p 0 -
        2206 regtype 4 b N 2211 0 regtype vr i p 0 -
        2249 record -1 p P 2287 0 record_ r d x 0 -
        2275 cstring -2 p P 1263 0 cstring_ r c p 0 -
        2276 any 4 p P 0 0 any_ v i p 0 -
        2277 anyarray -1 p P 0 0 anyarray_ r d x 0 -
        2278 void 4 p P 0 0 void_ vr i p 0 -
        2279 trigger 4 p P 0 0 trigger_ v i p 0 -
        2280 language_handler 4 p P 0 0 language_handler_ v i p 0 -
        2281 internal 8 p P 0 0 internal_ v d p 0 -
        2283 anyelement 4 p P 0 0 anyelement_ v i p 0 -
        2776 anynonarray 4 p P 0 0 anynonarray_ v i p 0 -
        2950 uuid 16 b U 2951 0 uuid_ r c p 0 -
        3115 fdw_handler 4 p P 0 0 fdw_handler_ v i p 0 -
        3310 tsm_handler 4 p P 0 0 tsm_handler_ v i p 0 -
        3802 jsonb -1 b U 3807 0 jsonb_ r i x 0 -
        3838 event_trigger 4 p P 0 0 event_trigger_ v i p 0 -
        3904 int4range -1 r R 3905 0 range_ r i x 0 -
        3906 numrange -1 r R 3907 0 range_ r i x 0 -
        3908 tsrange -1 r R 3909 0 range_ r d x 0 -
        3910 tstzrange -1 r R 3911 0 range_ r d x 0 -
        3912 daterange -1 r R 3913 0 range_ r i x 0 -
        3926 int8range -1 r R 3927 0 range_ r d x 0 -
        4072 jsonpath -1 b U 4073 0 jsonpath_ r i x 0 -
        4089 regnamespace 4 b N 4090 0 regnamespace vr i p 0 -
        4096 regrole 4 b N 4097 0 regrole vr i p 0 -
        4191 regcollation 4 b N 4192 0 regcollation vr i p 0 -
        3500 anyenum 4 p P 0 0 anyenum_ v i p 0 -
        5077 anycompatible 4 p P 0 0 anycompatible_ v i p 0 -
        5078 anycompatiblearray -1 p P 0 0 anycompatiblearray_ r d x 0 -
        5079 anycompatiblenonarray 4 p P 0 0 anycompatiblenonarray_ v i p 0 -
        """

    /// All of them, arrays included, by number.
    package static let all: [BuiltInType] = {
        let base = specification.split(separator: "\n").compactMap { parse($0.split(separator: " ").map(String.init)) }
        return (base + base.filter { $0.arrayIdentifier != 0 }.map(array(of:))).sorted { $0.identifier < $1.identifier }
    }()

    private static let byIdentifier = Dictionary(
        all.map { ($0.identifier, $0) }, uniquingKeysWith: { first, _ in first })
    private static let byName = Dictionary(all.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })

    package static func type(_ identifier: Int64) -> BuiltInType? { byIdentifier[identifier] }

    private static func parse(_ parts: [String]) -> BuiltInType? {
        guard parts.count == 13, let identifier = Int64(parts[0]), let byteCount = Int(parts[2]),
            let array = Int64(parts[5]), let element = Int64(parts[6]), let collation = Int64(parts[11])
        else { return nil }
        return BuiltInType(
            identifier: identifier, name: parts[1], byteCount: byteCount, kind: parts[3], category: parts[4],
            arrayIdentifier: array, elementIdentifier: element, functionPrefix: parts[7],
            isPassedByValue: parts[8].contains("v"), isPreferred: parts[8].contains("p"),
            hasBinaryFunctions: parts[8].contains("r"), alignment: parts[9], storage: parts[10], collation: collation,
            modifierFunction: parts[12] == "-" ? nil : parts[12])
    }

    private static func array(of element: BuiltInType) -> BuiltInType {
        BuiltInType(
            identifier: element.arrayIdentifier, name: "_" + element.name, byteCount: -1,
            kind: element.kind == "p" ? "p" : "b", category: element.kind == "p" ? "P" : "A", arrayIdentifier: 0,
            elementIdentifier: element.identifier, functionPrefix: "array_", isPassedByValue: false, isPreferred: false,
            hasBinaryFunctions: true, alignment: element.alignment == "d" ? "d" : "i", storage: "x",
            collation: element.collation, modifierFunction: element.modifierFunction)
    }

    // MARK: Names

    /// The name as SQL writes it; `modifier` adds lengths and precisions (-1: none is known; `nil`: none was asked for).
    package static func sqlName(_ identifier: Int64, modifier: Int64? = nil) -> String? {
        if identifier == 0 { return "-" }
        guard let type = byIdentifier[identifier] else { return nil }
        if type.isArray { return sqlName(type.elementIdentifier, modifier: modifier).map { $0 + "[]" } }
        let length = modifier.flatMap { $0 >= 0 ? $0 : nil }
        switch type.name {
        case "bool": return "boolean"
        case "int2": return "smallint"
        case "int4": return "integer"
        case "int8": return "bigint"
        case "float4": return "real"
        case "float8": return "double precision"
        case "char": return "\"char\""
        case "varchar": return length.map { "character varying(\($0 - 4))" } ?? "character varying"
        case "bpchar":
            if let length { return "character(\(length - 4))" }
            return modifier == nil ? "character" : "bpchar"
        case "numeric":
            guard let length, length >= 4 else { return "numeric" }
            return "numeric(\((length - 4) >> 16),\(((length - 4) & 0x7FF ^ 0x400) - 0x400))"
        case "bit":
            if let length { return "bit(\(length))" }
            return modifier == nil ? "bit" : "\"bit\""
        case "varbit": return length.map { "bit varying(\($0))" } ?? "bit varying"
        case "time": return clock("time", length, "without")
        case "timetz": return clock("time", length, "with")
        case "timestamp": return clock("timestamp", length, "without")
        case "timestamptz": return clock("timestamp", length, "with")
        case "interval":
            return "interval" + (length.map { TemporalModifier(catalogNumber: $0).intervalSuffix } ?? "")
        case "any": return "\"any\""
        default: return type.name
        }
    }

    private static func clock(_ name: String, _ precision: Int64?, _ zone: String) -> String {
        "\(name)\(precision.map { "(\($0))" } ?? "") \(zone) time zone"
    }

    private static let aliases: [String: String] = [
        "boolean": "bool", "smallint": "int2", "integer": "int4", "int": "int4", "bigint": "int8", "real": "float4",
        "double precision": "float8", "float": "float8", "character varying": "varchar", "bit varying": "varbit",
        "character": "bpchar",
        "char": "bpchar", "decimal": "numeric", "dec": "numeric", "time without time zone": "time",
        "time with time zone": "timetz", "timestamp without time zone": "timestamp",
        "timestamp with time zone": "timestamptz", "\"char\"": "char", "\"any\"": "any",
    ]

    /// The type of a name as SQL writes it, modifiers and a schema `pg_catalog` allowed.
    package static func identifier(ofSQLName text: String) -> Int64? {
        var name = text.lowercased().split(whereSeparator: { $0 == " " || $0 == "\t" || $0 == "\n" }).joined(
            separator: " ")
        var isArray = false
        while name.hasSuffix("[]") {
            isArray = true
            name = trimmed(String(name.dropLast(2)))
        }
        if name.hasPrefix("pg_catalog.") { name = String(name.dropFirst("pg_catalog.".count)) }
        if let open = name.firstIndex(of: "("), let close = name.lastIndex(of: ")"), open < close {
            name = trimmed(String(name[..<open])) + String(name[name.index(after: close)...])
        }
        var found = aliases[name].flatMap { byName[$0] } ?? byName[name]
        if found == nil, name.hasPrefix("\""), name.hasSuffix("\""), name.count > 2 {
            found = byName[String(name.dropFirst().dropLast())]
        }
        guard let found else { return nil }
        if !isArray { return found.identifier }
        return found.arrayIdentifier == 0 ? nil : found.arrayIdentifier
    }

    private static func trimmed(_ text: String) -> String {
        var text = text
        while text.last == " " { text.removeLast() }
        return text
    }
}

extension DataType {
    /// The type's number in pg_type.
    package var catalogIdentifier: Int64 {
        switch self {
        case .boolean: 16
        case .int8, .int16: 21
        case .int32: 23
        case .int64: 20
        case .float32: 700
        case .float64: 701
        case .decimal, .numeric: 1700
        case .text, .unknown: 25
        case .varchar: 1043
        case .char: 1042
        case .bytea: 17
        case .date: 1082
        case .time: 1083
        case .timeTZ: 1266
        case .timestamp: 1114
        case .timestampTZ: 1184
        case .interval: 1186
        case .uuid: 2950
        case .json: 114
        case .jsonb: 3802
        case .jsonpath: 4072
        case .record: 2249
        case .array(.enumeration(let element)): element.identifier + 1
        case .array(let element): BuiltInTypes.type(element.catalogIdentifier)?.arrayIdentifier ?? 1009
        case .oid: 26
        case .name: 19
        case .internalChar: 18
        case .registered(let kind): kind.catalogIdentifier
        case .indexVector(let element): element == .oid ? 30 : 22
        case .range(let kind): kind.catalogIdentifier
        case .bit: 1560
        case .varbit: 1562
        case .enumeration(let type): type.identifier
        }
    }

    /// Length or precision and scale as pg_attribute and the protocol carry them; -1 is none.
    package var catalogModifier: Int64 {
        switch self {
        // The widest numeric stands for numeric without a modifier too.
        case .decimal(let precision, let scale):
            precision < DataType.decimalPrecisionMax ? Int64(precision << 16 | scale) + 4 : -1
        // The scale has eleven bits, in two's complement.
        case .numeric(let modifier): modifier.map { Int64($0.precision << 16 | $0.scale & 0x7FF) + 4 } ?? -1
        case .varchar(let length): length.map { Int64($0) + 4 } ?? -1
        case .char(let length): Int64(length) + 4
        case .bit(let length), .varbit(let length): length.map { Int64($0) } ?? -1
        case .array(let element): element.catalogModifier
        default: -1
        }
    }
}

extension RegisteredKind {
    package var catalogIdentifier: Int64 {
        switch self {
        case .relation: 2205
        case .type: 2206
        case .function: 24
        case .procedure: 2202
        case .namespace: 4089
        case .role: 4096
        case .operation: 2203
        case .operationSignature: 2204
        case .collation: 4191
        }
    }
}
