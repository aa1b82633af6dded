// A piece of the text of a record or range: what stands between its delimiters, in quotes where it has to be.

enum QuotedPiece {
    private static let quote: UInt8 = 0x22
    private static let backslash: UInt8 = 0x5C

    /// Writes a piece, in quotes if it is empty or holds blanks, quotes, backslashes or a delimiter.
    static func append(_ piece: [UInt8], isDelimiter: (UInt8) -> Bool, into text: inout [UInt8]) {
        let needsQuotes =
            piece.isEmpty
            || piece.contains { $0 == quote || $0 == backslash || isDelimiter($0) || NumericText.isSpace($0) }
        guard needsQuotes else { return text.append(contentsOf: piece) }
        text.append(quote)
        for byte in piece {
            if byte == quote || byte == backslash { text.append(byte) }
            text.append(byte)
        }
        text.append(quote)
    }

    /// Reads a piece up to the delimiter that ends it; `at` then is there. `nil`: the text ends before.
    static func read(
        _ text: UnsafeBufferPointer<UInt8>, at: inout Int, isDelimiter: (UInt8) -> Bool
    ) -> [UInt8]? {
        var piece: [UInt8] = []
        var isQuoted = false
        while at < text.count {
            let byte = text[at]
            if !isQuoted, isDelimiter(byte) { return piece }
            switch byte {
            case backslash:
                at += 1
                if at == text.count { return nil }
                piece.append(text[at])
            case quote where isQuoted && at + 1 < text.count && text[at + 1] == quote:
                piece.append(quote)
                at += 1
            case quote: isQuoted.toggle()
            default: piece.append(byte)
            }
            at += 1
        }
        return nil
    }
}
