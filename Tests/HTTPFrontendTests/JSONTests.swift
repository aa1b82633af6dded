// Documents in and out, origins.

import Diagnostics
import Testing

@testable import HTTPFrontend

@Suite struct JSONTests {
    @Test func valuesKeepTheirText() throws {
        let value = try JSONValue.parse(Array(#" {"a": [1, -2.5e+3, "x\n\u00e9\ud83d\ude00", null, true]} "#.utf8))
        #expect(
            value
                == .object([
                    "a": .array([.number("1"), .number("-2.5e+3"), .string("x\né😀"), .null, .boolean(true)])
                ]))
    }

    @Test(arguments: ["", "{", "[1,]", "{\"a\" 1}", "01", "\"\\ud83d\"", "nul", "1 2", "\"\u{1}\"", "\"\\u+123\""])
    func badDocumentsAreErrors(text: String) {
        #expect(throws: QueryError.self) { try JSONValue.parse(Array(text.utf8)) }
    }

    @Test func depthIsLimited() {
        let text = String(repeating: "[", count: 100_000)
        #expect(throws: QueryError.self) { try JSONValue.parse(Array(text.utf8)) }
    }

    @Test func writerPutsCommas() {
        let bytes = JSONWriter.document { writer in
            writer.member("a", 1)
            writer.array("b", [1, 2]) { $0.value($1) }
            writer.member("c", String?.none)
            writer.object("d") { _ in }
        }
        #expect(String(decoding: bytes, as: UTF8.self) == #"{"a":1,"b":[1,2],"c":null,"d":{}}"#)
    }
}

@Suite struct OriginTests {
    @Test func pagesOfOthersAreRefused() {
        let local = OriginPolicy(host: "127.0.0.1")
        #expect(local.accepts(host: "127.0.0.1:8080", origin: nil))
        #expect(local.accepts(host: "localhost:8080", origin: "http://localhost:8080"))
        #expect(!local.accepts(host: "localhost:8080", origin: "http://evil.example"))
        #expect(!local.accepts(host: "localhost:8080", origin: "null"))
        // A name that was made to lead here.
        #expect(!local.accepts(host: "evil.example:8080", origin: "http://evil.example:8080"))
        #expect(local.accepts(host: "[::1]:8080", origin: nil))
        let open = OriginPolicy(host: "0.0.0.0", allowed: ["https://console.example"])
        #expect(open.accepts(host: "node:8080", origin: "https://console.example"))
        #expect(open.accepts(host: "node:8080", origin: "http://node:8080"))
        #expect(!open.accepts(host: "node:8080", origin: "http://other:8080"))
    }
}
