// How a client writes text that is not UTF-8: encodings of one byte a character, as PostgreSQL knows them.
//
// Within the engine all text is UTF-8. Where a client wants that, too, there is no encoding (`nil`) and nothing is converted.

import Diagnostics

/// An encoding whose first 128 characters are those of ASCII.
package final class ClientEncoding: Sendable, Equatable {
    /// As PostgreSQL writes it.
    package let name: String
    /// As PostgreSQL counts it.
    package let number: Int
    /// UTF-8 of the bytes from 128 on; empty for those that mean nothing.
    private let characters: [[UInt8]]
    /// The bytes of scalars.
    private let bytes: [UInt32: UInt8]

    private init(name: String, number: Int, runs: ArraySlice<Substring>) {
        self.name = name
        self.number = number
        var characters = [[UInt8]](repeating: [], count: 128)
        var bytes: [UInt32: UInt8] = [:]
        for run in runs {
            let sides = run.split(separator: ":")
            let ends = sides[0].split(separator: "-").compactMap { Int($0, radix: 16) }
            guard let first = ends.first, let last = ends.last, let start = UInt32(sides[1], radix: 16) else {
                continue
            }
            for byte in first...last {
                guard let scalar = Unicode.Scalar(start + UInt32(byte - first)) else { continue }
                characters[byte - 128] = Array(String(scalar).utf8)
                bytes[scalar.value] = UInt8(truncatingIfNeeded: byte)
            }
        }
        self.characters = characters
        self.bytes = bytes
    }

    package static func == (a: ClientEncoding, b: ClientEncoding) -> Bool { a.number == b.number }

    // MARK: - Names

    /// What a name stands for.
    package enum Meaning: Sendable, Equatable {
        /// Text goes as it is: UTF8, or SQL_ASCII, which promises nothing.
        case unchanged(name: String, number: Int)
        case converted(ClientEncoding)
        /// An encoding of several bytes a character.
        case unsupported(name: String)
    }

    /// Case, blanks and punctuation of the name do not matter. `nil`: there is no such encoding.
    package static func meaning(of text: String) -> Meaning? {
        let plain = String(decoding: text.lowercased().utf8.filter { isLetterOrDigit($0) }, as: UTF8.self)
        let name = aliases[plain] ?? plain
        if name == "utf8" { return .unchanged(name: "UTF8", number: 6) }
        if name == "sqlascii" { return .unchanged(name: "SQL_ASCII", number: 0) }
        if let encoding = byPlainName[name] { return .converted(encoding) }
        return multibyteNames.contains(name) ? .unsupported(name: name) : nil
    }

    /// The encoding with a number of PostgreSQL's; `nil` for UTF8, SQL_ASCII and those that are not known.
    package static func numbered(_ number: Int) -> ClientEncoding? { all.first { $0.number == number } }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte)
    }

    package static let all: [ClientEncoding] = tables.split(separator: "\n").compactMap { line in
        let words = line.split(separator: " ")
        guard words.count > 2, let number = Int(words[1]) else { return nil }
        return ClientEncoding(name: String(words[0]), number: number, runs: words[2...])
    }

    private static let byPlainName = Dictionary(
        uniqueKeysWithValues: all.map { encoding in
            (String(decoding: encoding.name.lowercased().utf8.filter { isLetterOrDigit($0) }, as: UTF8.self), encoding)
        })

    private static let aliases = [
        "unicode": "utf8", "abc": "win1258", "tcvn": "win1258", "tcvn5712": "win1258", "vscii": "win1258",
        "alt": "win866", "win": "win1251", "koi8": "koi8r", "iso88591": "latin1", "iso88592": "latin2",
        "iso88593": "latin3", "iso88594": "latin4", "iso88599": "latin5", "iso885910": "latin6",
        "iso885913": "latin7", "iso885914": "latin8", "iso885915": "latin9", "iso885916": "latin10",
        "windows866": "win866", "windows874": "win874", "windows1250": "win1250", "windows1251": "win1251",
        "windows1252": "win1252", "windows1253": "win1253", "windows1254": "win1254", "windows1255": "win1255",
        "windows1256": "win1256", "windows1257": "win1257", "windows1258": "win1258",
    ]

    private static let multibyteNames: Set<String> = [
        "big5", "eucjp", "euccn", "euckr", "euctw", "eucjis2004", "gb18030", "gbk", "johab", "mskanji", "muleinternal",
        "shiftjis", "shiftjis2004", "sjis", "uhc", "win932", "win936", "win949", "win950", "windows932", "windows936",
        "windows949", "windows950",
    ]

    // MARK: - Conversion

    /// Text of a client as UTF-8. 22P05 for bytes that mean nothing.
    package func decoded(_ source: some Collection<UInt8>) throws -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(source.count + source.count / 4)
        for byte in source {
            guard byte >= 128 else {
                result.append(byte)
                continue
            }
            let character = characters[Int(byte) - 128]
            guard !character.isEmpty else { throw Self.untranslatable([byte], from: name, to: "UTF8") }
            result += character
        }
        return result
    }

    /// Text in UTF-8 as the client wants it. 22P05 for characters that it cannot have.
    package func encoded(_ source: some RandomAccessCollection<UInt8>) throws -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(source.count)
        try append(source, to: &result)
        return result
    }

    /// Appends text in UTF-8 as the client wants it. 22P05 for characters that it cannot have.
    package func append(_ source: some RandomAccessCollection<UInt8>, to result: inout [UInt8]) throws {
        var rest = source[...]
        while let byte = rest.first {
            guard byte >= 128 else {
                result.append(byte)
                rest.removeFirst()
                continue
            }
            let length = min(byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : 2, rest.count)
            let character = rest.prefix(length)
            let scalar = character.dropFirst().reduce(UInt32(byte) & (0xFF >> UInt32(length + 1))) {
                $0 << 6 | UInt32($1) & 0x3F
            }
            guard let own = bytes[scalar] else { throw Self.untranslatable(Array(character), from: "UTF8", to: name) }
            result.append(own)
            rest = rest.dropFirst(length)
        }
    }

    /// As `encoded`, with question marks for characters that the client cannot have: for messages, which must not fail.
    package func approximated(_ text: String) -> [UInt8] {
        text.unicodeScalars.map { $0.isASCII ? UInt8(truncatingIfNeeded: $0.value) : bytes[$0.value] ?? 0x3F }
    }

    private static func untranslatable(_ bytes: [UInt8], from source: String, to target: String) -> QueryError {
        let digits = bytes.map { byte in
            "0x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }.joined(separator: " ")
        return QueryError(
            .untranslatableCharacter,
            "character with byte sequence \(digits) in encoding \"\(source)\" has no equivalent in encoding \"\(target)\""
        )
    }
}
