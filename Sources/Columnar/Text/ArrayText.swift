// Text of arrays: {1,2,NULL,"a b"}, {{1,2},{3,4}}, [0:1]={7,8}.

import Diagnostics

package enum ArrayText {
    // MARK: Output

    package static func append(
        _ elements: Vector, shape: ArrayShape, settings: TextSettings, into text: inout [UInt8]
    ) {
        if shape.dimensions.contains(where: { $0.lower != 1 }) {
            for dimension in shape.dimensions {
                text.append(contentsOf: "[\(dimension.lower):\(dimension.upper)]".utf8)
            }
            text.append(0x3D)
        }
        if shape.dimensions.isEmpty {
            text.append(contentsOf: "{}".utf8)
            return
        }
        var row = 0
        append(elements, shape.dimensions[...], &row, settings, into: &text)
    }

    private static func append(
        _ elements: Vector, _ dimensions: ArraySlice<ArrayShape.Dimension>, _ row: inout Int, _ settings: TextSettings,
        into text: inout [UInt8]
    ) {
        guard let dimension = dimensions.first else { return }
        text.append(0x7B)
        for index in 0..<dimension.length {
            if index > 0 { text.append(0x2C) }
            if dimensions.count > 1 {
                append(elements, dimensions.dropFirst(), &row, settings, into: &text)
            } else {
                appendElement(elements, row, settings, into: &text)
                row += 1
            }
        }
        text.append(0x7D)
    }

    private static func appendElement(
        _ elements: Vector, _ row: Int, _ settings: TextSettings, into text: inout [UInt8]
    ) {
        if elements.isNull(row) {
            text.append(contentsOf: "NULL".utf8)
            return
        }
        var piece: [UInt8] = []
        TextFormat.append(elements, row: row, settings: settings, into: &piece)
        guard needsQuotes(piece) else {
            text.append(contentsOf: piece)
            return
        }
        text.append(0x22)
        for byte in piece {
            if byte == 0x22 || byte == 0x5C { text.append(0x5C) }
            text.append(byte)
        }
        text.append(0x22)
    }

    private static func needsQuotes(_ piece: [UInt8]) -> Bool {
        if piece.isEmpty { return true }
        if piece.count == 4, String(decoding: piece, as: UTF8.self).uppercased() == "NULL" { return true }
        return piece.contains { byte in
            byte == 0x22 || byte == 0x5C || byte == 0x7B || byte == 0x7D || byte == 0x2C || NumericText.isSpace(byte)
        }
    }

    // MARK: Input

    /// Errors: 22P02 and those of the elements' type; 2202E and 54000 for bounds.
    package static func parse(
        _ source: UnsafeBufferPointer<UInt8>, element: DataType, settings: TextSettings
    ) throws -> [UInt8] {
        var reader = ArrayReader(source: source, element: element, settings: settings)
        return try reader.read()
    }
}

/// One pass over the text of an array.
private struct ArrayReader {
    let source: UnsafeBufferPointer<UInt8>
    let text: UnsafeBufferPointer<UInt8>
    let element: DataType
    let settings: TextSettings
    var at = 0
    var elements: [ScalarValue] = []
    /// Lengths by depth, as the first array of each depth has them.
    var lengths: [Int] = []
    /// At which depth elements stand.
    var elementDepth: Int?

    init(source: UnsafeBufferPointer<UInt8>, element: DataType, settings: TextSettings) {
        self.source = source
        text = NumericText.trimmed(source)
        self.element = element
        self.settings = settings
    }

    func malformed(_ detail: String) -> QueryError {
        QueryError(
            .invalidTextRepresentation, "malformed array literal: \"\(String(decoding: source, as: UTF8.self))\"",
            detail: detail)
    }
    private var mismatch: QueryError {
        malformed("Multidimensional arrays must have sub-arrays with matching dimensions.")
    }
    private mutating func skipSpaces() { while at < text.count && NumericText.isSpace(text[at]) { at += 1 } }

    mutating func read() throws -> [UInt8] {
        let bounds = try readBounds()
        guard at < text.count, text[at] == 0x7B else {
            throw malformed(
                bounds == nil
                    ? "Array value must start with \"{\" or dimension information."
                    : "Array contents must start with \"{\".")
        }
        _ = try readLevel(0)
        guard at == text.count else { throw malformed("Junk after closing right brace.") }
        if elements.isEmpty {
            if let bounds, !bounds.isEmpty {
                throw malformed("Specified array dimensions do not match array contents.")
            }
            return ArrayBlob.encode([], elementType: element)
        }
        var shape = ArrayShape(lengths.map { ArrayShape.Dimension(length: $0) })
        if let bounds {
            guard bounds.count == lengths.count, zip(bounds, lengths).allSatisfy({ $0.length == $1 }) else {
                throw malformed("Specified array dimensions do not match array contents.")
            }
            shape = ArrayShape(bounds)
        }
        return ArrayBlob.encode(elements, elementType: element, shape: try shape.checked())
    }

    /// `[l:u][u]…=`; `nil` if there is none.
    private mutating func readBounds() throws -> [ArrayShape.Dimension]? {
        var bounds: [ArrayShape.Dimension] = []
        while at < text.count, text[at] == 0x5B {
            at += 1
            var lower = 1
            var upper = try readBound()
            if at < text.count, text[at] == 0x3A {
                at += 1
                lower = upper
                upper = try readBound()
            }
            guard at < text.count, text[at] == 0x5D else { throw malformed("Missing \"]\" after array dimensions.") }
            at += 1
            if upper < lower {
                throw QueryError(SQLState("2202E"), "upper bound cannot be less than lower bound")
            }
            bounds.append(ArrayShape.Dimension(length: upper - lower + 1, lower: lower))
            skipSpaces()
        }
        if bounds.isEmpty { return nil }
        guard at < text.count, text[at] == 0x3D else { throw malformed("Missing \"=\" after array dimensions.") }
        at += 1
        skipSpaces()
        return bounds
    }

    private mutating func readBound() throws -> Int {
        let start = at
        if at < text.count, text[at] == 0x2D || text[at] == 0x2B { at += 1 }
        while at < text.count, text[at] &- 0x30 <= 9 { at += 1 }
        guard let value = Int(String(decoding: text[start..<at], as: UTF8.self)) else {
            throw malformed("\"[\" must introduce explicitly-specified array dimensions.")
        }
        guard value >= Int(Int32.min), value <= Int(Int32.max) else {
            throw QueryError(.numericValueOutOfRange, "array bound is out of integer range")
        }
        return value
    }

    /// The members between braces, of which it gives the number.
    private mutating func readLevel(_ depth: Int) throws -> Int {
        if depth >= ArrayShape.dimensionCountMax {
            throw QueryError(
                .programLimitExceeded,
                "number of array dimensions (\(depth + 1)) exceeds the maximum allowed "
                    + "(\(ArrayShape.dimensionCountMax))")
        }
        at += 1
        skipSpaces()
        var count = 0
        if depth == 0, at < text.count, text[at] == 0x7D {
            // Only the whole may be empty.
            at += 1
        } else {
            while true {
                skipSpaces()
                guard at < text.count else { throw malformed("Unexpected end of input.") }
                if text[at] == 0x7B {
                    if let elementDepth, elementDepth <= depth { throw mismatch }
                    _ = try readLevel(depth + 1)
                } else {
                    if elementDepth == nil {
                        guard lengths.count <= depth + 1 else { throw mismatch }
                        elementDepth = depth
                    }
                    guard elementDepth == depth else { throw mismatch }
                    try readElement()
                }
                count += 1
                skipSpaces()
                guard at < text.count else { throw malformed("Unexpected end of input.") }
                if text[at] == 0x2C {
                    at += 1
                    continue
                }
                guard text[at] == 0x7D else { throw malformed("Unexpected array element.") }
                at += 1
                break
            }
        }
        while lengths.count <= depth { lengths.append(-1) }
        if lengths[depth] < 0 { lengths[depth] = count }
        guard lengths[depth] == count else { throw mismatch }
        skipSpaces()
        return count
    }

    private mutating func readElement() throws {
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
        } else {
            /// How much of the piece is not blanks at its end; escaped blanks stay.
            var kept = 0
            while at < text.count, text[at] != 0x2C, text[at] != 0x7D {
                if text[at] == 0x22 || text[at] == 0x7B { throw malformed("Unexpected array element.") }
                let isEscaped = text[at] == 0x5C
                if isEscaped { at += 1 }
                guard at < text.count else { break }
                piece.append(text[at])
                if isEscaped || !NumericText.isSpace(text[at]) { kept = piece.count }
                isQuoted = isQuoted || isEscaped
                at += 1
            }
            piece.removeLast(piece.count - kept)
            if piece.isEmpty {
                let found = at < text.count ? text[at] : 0x7D
                throw malformed("Unexpected \"\(Character(UnicodeScalar(found)))\" character.")
            }
        }
        if !isQuoted, piece.count == 4, String(decoding: piece, as: UTF8.self).uppercased() == "NULL" {
            elements.append(.null)
        } else {
            elements.append(
                try piece.withUnsafeBufferPointer { try TextFormat.parse($0, as: element, settings: settings) })
        }
    }
}
