// Session options: the settings of the session by name, and its catalogue and schema.

import Columnar
import Coordination
import Diagnostics

struct SessionOptions: Sendable {
    private enum Failure: Int64 { case name = 1, value, other }

    let session: FlightSession
    init(_ session: FlightSession) { self.session = session }

    /// All options: a map from names to texts.
    func all() async throws -> [UInt8] {
        let (catalog, schema) = try await session.exclusively {
            let prepared = try await self.session.session.prepare(
                "SELECT current_database()::text, current_schema()::text")
            let result = try await self.session.session.execute(prepared, parameters: [])
            let row = try await result.collect().first?.row(0) ?? []
            return (row.first?.text ?? "", row.last?.text ?? "")
        }
        var writer = ProtobufWriter()
        func option(_ name: String, _ value: String) {
            writer.message(1) { entry in
                entry.string(1, name)
                entry.message(2) { $0.string(1, value) }
            }
        }
        option("catalog", catalog)
        option("schema", schema)
        for (name, value) in session.session.settings.all.sorted(by: { $0.key < $1.key }) { option(name, value) }
        return writer.bytes
    }

    /// Changes options; the answer tells which could not be changed.
    func set(_ body: [UInt8]) async throws -> [UInt8] {
        let wanted = try body.withUnsafeBytes { try Self.options($0) }
        return try await session.exclusively {
            var writer = ProtobufWriter()
            for (name, value) in wanted {
                guard let failure = await self.change(name, value) else { continue }
                writer.message(1) { entry in
                    entry.string(1, name)
                    entry.message(2) { $0.integer(1, failure.rawValue) }
                }
            }
            return writer.bytes
        }
    }

    private func change(_ name: String, _ value: String?) async -> Failure? {
        do {
            switch name {
            case "catalog":
                // There is one, as there is one database.
                return value == nil || value == session.session.database ? nil : .value
            case "schema":
                let path = value.map { name in
                    "\"" + name.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"")
                        + "\""
                }
                try session.session.changeSetting("search_path", to: path)
            default:
                guard SessionSettings.definition(name) != nil || name.contains(".") else { return .name }
                try session.session.changeSetting(name, to: value)
            }
            return nil
        } catch let error as QueryError {
            return error.state == .invalidParameterValue ? .value : .other
        } catch {
            return .other
        }
    }

    /// Names and values; a value without content goes back to its default.
    private static func options(_ bytes: UnsafeRawBufferPointer) throws -> [(name: String, value: String?)] {
        var result: [(name: String, value: String?)] = []
        var reader = ProtobufReader(bytes)
        while let field = try reader.next() {
            guard field == 1 else {
                try reader.skip()
                continue
            }
            var name = ""
            var value: String?
            var entry = ProtobufReader(try reader.raw())
            while let field = try entry.next() {
                switch field {
                case 1: name = try entry.string()
                case 2: value = try optionValue(try entry.raw())
                default: try entry.skip()
                }
            }
            result.append((name, value))
        }
        return result
    }

    private static func optionValue(_ bytes: UnsafeRawBufferPointer) throws -> String? {
        var value: String?
        var reader = ProtobufReader(bytes)
        while let field = try reader.next() {
            switch field {
            case 1: value = try reader.string()
            case 2: value = try reader.boolean() ? "on" : "off"
            case 3: value = String(Int64(bitPattern: try reader.fixed64()))
            case 4: value = String(Double(bitPattern: try reader.fixed64()))
            case 5:
                var texts: [String] = []
                var list = ProtobufReader(try reader.raw())
                while let field = try list.next() {
                    if field == 1 { texts.append(try list.string()) } else { try list.skip() }
                }
                value = texts.joined(separator: ", ")
            default: try reader.skip()
            }
        }
        return value
    }
}
