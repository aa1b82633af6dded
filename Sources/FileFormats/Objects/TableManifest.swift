// What files a table of an object store has: one small object for each version of the table.
//
// An object store has no rename and no directories, but a write can be made to fail if the object is there already. So the
// versions of a table are objects with numbers, each of which can be written once: who writes number n + 1 has seen number n
// and knows that nobody came between. A version is written after its files. Readers look for the newest version and read the
// files that it lists; they see all of a statement's rows or none, whenever a writer ends.
//
//   TABLE/_manifest/NUMBER     versions, numbered downwards, so that the newest is the first of a listing
//   TABLE/_data/…              files; those that no version lists belong to statements that run or that failed

import Diagnostics

/// One version of a table.
package struct TableManifest: Hashable, Sendable {
    package struct Entry: Hashable, Sendable {
        /// Behind the table's prefix.
        package var name: String
        package var byteCount: Int
        package var rowCount: Int
        /// The store's name of exactly this version of the file.
        package var version: String

        package init(name: String, byteCount: Int, rowCount: Int, version: String) {
            self.name = name
            self.byteCount = byteCount
            self.rowCount = rowCount
            self.version = version
        }
    }

    package var number: Int
    /// The table was dropped: it is as if it were not there.
    package var isDropped = false
    /// Different for each write, so that a writer knows its own.
    package var writer: String
    package var entries: [Entry] = []

    /// Numbers count from 1 up to this.
    static let numberMax = 999_999_999_999
    private static let magic = "martlet table 1"

    /// Where version `number` of a table lies; the newest one comes first in the order of keys.
    package static func path(_ table: ObjectPath, number: Int) -> ObjectPath {
        let text = String(numberMax - number)
        return prefix(table).appending(String(repeating: "0", count: 12 - text.count) + text)
    }

    static func prefix(_ table: ObjectPath) -> ObjectPath { table.asDirectory.appending("_manifest/") }

    // MARK: Text

    package var text: [UInt8] {
        var lines = [Self.magic, "number \(number)", "writer \(writer)", isDropped ? "dropped" : "live"]
        for entry in entries {
            lines.append(
                "file \(entry.byteCount) \(entry.rowCount) \(Self.escaped(entry.version)) \(Self.escaped(entry.name))")
        }
        lines.append("end \(entries.count)")
        return Array((lines.joined(separator: "\n") + "\n").utf8)
    }

    package init(number: Int, isDropped: Bool = false, writer: String, entries: [Entry] = []) {
        self.number = number
        self.isDropped = isDropped
        self.writer = writer
        self.entries = entries
    }

    /// Throws XX001 if the bytes are no manifest, and 0A000 if they are one of a later kind.
    package init(text: [UInt8], path: ObjectPath) throws {
        func broken(_ what: String) -> QueryError {
            QueryError(.dataCorrupted, "invalid manifest \"\(path)\": \(what)", object: path.description)
        }
        let lines = String(decoding: text, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
        guard let first = lines.first, first.hasPrefix("martlet table ") else {
            throw broken("it does not begin as one")
        }
        guard first == Self.magic else { throw QueryError.notSupported("a table of the kind \"\(first)\"") }
        guard lines.count >= 6, lines.last?.isEmpty == true else { throw broken("it ends too early") }
        guard let number = Int(lines[1].dropFirst("number ".count)), lines[1].hasPrefix("number "), number > 0,
            lines[2].hasPrefix("writer "), lines[3] == "live" || lines[3] == "dropped"
        else { throw broken("its head is not understood") }
        self.number = number
        writer = String(lines[2].dropFirst("writer ".count))
        isDropped = lines[3] == "dropped"
        for line in lines[4..<lines.count - 2] {
            let words = line.split(separator: " ", omittingEmptySubsequences: false)
            guard words.count == 5, words[0] == "file", let bytes = Int(words[1]), bytes >= 0, let rows = Int(words[2]),
                rows >= 0, !words[4].isEmpty
            else { throw broken("a line is not understood") }
            entries.append(
                Entry(
                    name: Self.unescaped(words[4]), byteCount: bytes, rowCount: rows,
                    version: Self.unescaped(words[3])))
        }
        guard lines[lines.count - 2] == "end \(entries.count)" else { throw broken("it ends too early") }
    }

    private static func escaped(_ text: String) -> String {
        var result = ""
        for character in text.unicodeScalars {
            switch character {
            case " ": result += "%20"
            case "\n": result += "%0A"
            case "%": result += "%25"
            default: result.unicodeScalars.append(character)
            }
        }
        return result
    }

    private static func unescaped(_ text: Substring) -> String {
        guard text.contains("%") else { return String(text) }
        var result = ""
        var rest = text
        while let mark = rest.firstIndex(of: "%") {
            result += rest[..<mark]
            rest = rest[mark...].dropFirst()
            switch rest.prefix(2) {
            case "20": result += " "
            case "0A": result += "\n"
            default: result += "%"
            }
            rest = rest.dropFirst(2)
        }
        return result + rest
    }
}
