// Text of one-dimensional arrays: {1,2,NULL,"a b"}.

import Diagnostics

package enum ArrayText {
    package static func append(_ elements: Vector, settings: TextSettings, into text: inout [UInt8]) {
        text.append(0x7B)
        var piece: [UInt8] = []
        for row in 0..<elements.count {
            if row > 0 { text.append(0x2C) }
            if elements.isNull(row) {
                text.append(contentsOf: "NULL".utf8)
                continue
            }
            piece.removeAll(keepingCapacity: true)
            TextFormat.append(elements, row: row, settings: settings, into: &piece)
            if elements.type.elementType == nil && needsQuotes(piece) {
                text.append(0x22)
                for byte in piece {
                    if byte == 0x22 || byte == 0x5C { text.append(0x5C) }
                    text.append(byte)
                }
                text.append(0x22)
            } else {
                text.append(contentsOf: piece)
            }
        }
        text.append(0x7D)
    }

    private static func needsQuotes(_ piece: [UInt8]) -> Bool {
        if piece.isEmpty { return true }
        if piece.count == 4, String(decoding: piece, as: UTF8.self).uppercased() == "NULL" { return true }
        return piece.contains { byte in
            byte == 0x22 || byte == 0x5C || byte == 0x7B || byte == 0x7D || byte == 0x2C || NumericText.isSpace(byte)
        }
    }

    package static func parse(
        _ source: UnsafeBufferPointer<UInt8>, element: DataType, settings: TextSettings
    ) throws -> [UInt8] {
        let text = NumericText.trimmed(source)
        func malformed(_ detail: String) -> QueryError {
            QueryError(
                .invalidTextRepresentation, "malformed array literal: \"\(String(decoding: source, as: UTF8.self))\"",
                detail: detail)
        }
        if text.first == 0x5B { throw QueryError.notSupported("an array with bounds of its own") }
        guard text.first == 0x7B else { throw malformed("Array value must start with \"{\" or dimension information.") }
        var elements: [ScalarValue] = []
        var at = 1
        func skipSpaces() { while at < text.count && NumericText.isSpace(text[at]) { at += 1 } }
        skipSpaces()
        if at < text.count, text[at] == 0x7D {
            guard at + 1 == text.count else { throw malformed("Junk after closing right brace.") }
            return ArrayBlob.encode([], elementType: element)
        }
        while true {
            skipSpaces()
            guard at < text.count else { throw malformed("Unexpected end of input.") }
            if text[at] == 0x7B { throw QueryError.notSupported("multi-dimensional array") }
            var piece: [UInt8] = []
            var isQuoted = false
            if text[at] == 0x22 {
                isQuoted = true
                at += 1
                while at < text.count, text[at] != 0x22 {
                    if text[at] == 0x5C { at += 1 }
                    guard at < text.count else { break }
                    piece.append(text[at])
                    at += 1
                }
                guard at < text.count else { throw malformed("Unexpected end of input.") }
                at += 1
                skipSpaces()
            } else {
                while at < text.count, text[at] != 0x2C, text[at] != 0x7D {
                    if text[at] == 0x22 || text[at] == 0x7B { throw malformed("Unexpected array element.") }
                    if text[at] == 0x5C { at += 1 }
                    guard at < text.count else { break }
                    piece.append(text[at])
                    at += 1
                }
                while let last = piece.last, NumericText.isSpace(last) { piece.removeLast() }
                if piece.isEmpty { throw malformed("Unexpected \",\" or \"}\" character.") }
            }
            if !isQuoted, piece.count == 4, String(decoding: piece, as: UTF8.self).uppercased() == "NULL" {
                elements.append(.null)
            } else {
                elements.append(
                    try piece.withUnsafeBufferPointer {
                        try TextFormat.parse($0, as: element, settings: settings)
                    })
            }
            guard at < text.count else { throw malformed("Unexpected end of input.") }
            if text[at] == 0x2C {
                at += 1
            } else if text[at] == 0x7D {
                guard at + 1 == text.count else { throw malformed("Junk after closing right brace.") }
                return ArrayBlob.encode(elements, elementType: element)
            } else {
                throw malformed("Unexpected array element.")
            }
        }
    }
}
