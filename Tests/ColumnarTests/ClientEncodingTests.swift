// Encodings of one byte a character: names, both directions, and what neither side has.

import Columnar
import Diagnostics
import Testing

@Suite struct ClientEncodingTests {
    private static func encoding(_ name: String) throws -> ClientEncoding {
        guard case .converted(let encoding)? = ClientEncoding.meaning(of: name) else {
            throw QueryError(.invalidParameterValue, "no such encoding: \(name)")
        }
        return encoding
    }

    @Test(arguments: [
        ("LATIN1", "LATIN1"), ("iso-8859-1", "LATIN1"), ("Windows-1252", "WIN1252"), ("iso_8859_15", "LATIN9"),
        ("koi8", "KOI8R"), ("win", "WIN1251"), ("ALT", "WIN866"), ("ISO_8859_5", "ISO_8859_5"),
    ])
    func namesOfEncodings(_ text: String, _ name: String) throws {
        #expect(try Self.encoding(text).name == name)
    }

    @Test func namesWithoutConversion() {
        #expect(ClientEncoding.meaning(of: "unicode") == .unchanged(name: "UTF8", number: 6))
        #expect(ClientEncoding.meaning(of: "utf-8") == .unchanged(name: "UTF8", number: 6))
        #expect(ClientEncoding.meaning(of: "sql_ascii") == .unchanged(name: "SQL_ASCII", number: 0))
        #expect(ClientEncoding.meaning(of: "Shift_JIS_2004") == .unsupported(name: "shiftjis2004"))
        #expect(ClientEncoding.meaning(of: "nothing") == nil)
        #expect(ClientEncoding.meaning(of: "") == nil)
    }

    @Test func everyByteComesBack() throws {
        #expect(ClientEncoding.all.count == 27)
        for encoding in ClientEncoding.all {
            for byte in UInt8.min ... .max {
                guard let text = try? encoding.decoded([byte]) else { continue }
                #expect(String(validating: text, as: UTF8.self) != nil)
                #expect(try encoding.encoded(text) == [byte], "\(encoding.name) \(byte)")
            }
        }
    }

    @Test func textInBothDirections() throws {
        #expect(try Self.encoding("latin1").decoded([0x63, 0x61, 0x66, 0xE9]) == Array("café".utf8))
        #expect(try Self.encoding("win1251").encoded(Array("Да, 5".utf8)) == [0xC4, 0xE0, 0x2C, 0x20, 0x35])
        #expect(try Self.encoding("latin9").encoded(Array("5 €".utf8)) == [0x35, 0x20, 0xA4])
    }

    @Test func whatAnEncodingDoesNotHave() throws {
        func state(_ body: () throws -> Void) -> SQLState? {
            do { try body() } catch { return (error as? QueryError)?.state }
            return nil
        }
        let encoding = try Self.encoding("latin1")
        #expect(state { _ = try encoding.encoded(Array("€".utf8)) } == .untranslatableCharacter)
        #expect(state { _ = try encoding.encoded(Array("a😀".utf8)) } == .untranslatableCharacter)
        #expect(state { _ = try Self.encoding("win1252").decoded([0x81]) } == .untranslatableCharacter)
        #expect(encoding.approximated("é€😀") == [0xE9, 0x3F, 0x3F])
    }
}
