// The text that is being edited, with its cursor: movement, deletion, the kill buffer and undo.

/// Positions count characters as people see them: a letter with its accents, or an emoji of several parts, is one.
package struct EditBuffer: Sendable {
    private struct Snapshot {
        var characters: [Character]
        var cursor: Int
    }
    private static let undoCountMax = 200

    package private(set) var characters: [Character] = []
    package private(set) var cursor = 0
    private var killed: [Character] = []
    private var undoStack: [Snapshot] = []
    /// Characters typed one after the other are undone together.
    private var isTyping = false

    package init() {}

    package var text: String { String(characters) }
    package var isEmpty: Bool { characters.isEmpty }
    package var isAtEnd: Bool { cursor == characters.count }
    package var textBeforeCursor: String { String(characters[..<cursor]) }

    // MARK: - Changes

    package mutating func replaceAll(_ text: String) {
        remember()
        characters = Array(text)
        cursor = characters.count
    }

    /// Forgets what there was; nothing can be undone.
    package mutating func clear() {
        let killed = self.killed
        self = EditBuffer()
        self.killed = killed
    }

    package mutating func insert(_ text: String, isTyped: Bool = false) {
        guard !text.isEmpty else { return }
        if !(isTyped && isTyping) { remember() }
        isTyping = isTyped && text.last?.isWhitespace == false
        // An accent that comes by itself joins the character before it.
        let before = cursor > 0 ? String(characters[cursor - 1]) : ""
        let joined = Array(before + text)
        characters.replaceSubrange((cursor - before.count)..<cursor, with: joined)
        cursor += joined.count - before.count
    }

    package mutating func replace(_ range: Range<Int>, with text: String) {
        remember()
        let new = Array(text)
        characters.replaceSubrange(range, with: new)
        cursor = range.lowerBound + new.count
    }

    package mutating func deleteBackward() {
        guard cursor > 0 else { return }
        remove((cursor - 1)..<cursor)
    }

    package mutating func deleteForward() {
        guard cursor < characters.count else { return }
        remove(cursor..<(cursor + 1))
    }

    package mutating func killToLineEnd() {
        let end = lineEnd
        // At the end of a line the line end itself goes.
        kill(cursor..<(end == cursor ? min(end + 1, characters.count) : end))
    }
    package mutating func killToLineStart() { kill(lineStart..<cursor) }
    package mutating func killWordBackward() { kill(wordStart..<cursor) }
    package mutating func killWordForward() { kill(cursor..<wordEnd) }
    /// Back to white space, whatever is between.
    package mutating func killBlankWordBackward() {
        var start = cursor
        while start > 0, characters[start - 1].isWhitespace { start -= 1 }
        while start > 0, !characters[start - 1].isWhitespace { start -= 1 }
        kill(start..<cursor)
    }
    package mutating func yank() { insert(String(killed)) }

    /// Exchanges the two characters around the cursor, or the last two of the line.
    package mutating func transpose() {
        let at = cursor == lineEnd ? cursor - 1 : cursor
        guard at > lineStart, at < characters.count else { return }
        remember()
        characters.swapAt(at - 1, at)
        cursor = at + 1
    }

    /// Back to before the last change. Returns whether there was one.
    package mutating func undo() -> Bool {
        guard let last = undoStack.popLast() else { return false }
        characters = last.characters
        cursor = last.cursor
        isTyping = false
        return true
    }

    private mutating func remove(_ range: Range<Int>) {
        guard !range.isEmpty else { return }
        remember()
        characters.removeSubrange(range)
        cursor = range.lowerBound
    }

    private mutating func kill(_ range: Range<Int>) {
        guard !range.isEmpty else { return }
        killed = Array(characters[range])
        remove(range)
    }

    private mutating func remember() {
        undoStack.append(Snapshot(characters: characters, cursor: cursor))
        if undoStack.count > Self.undoCountMax { undoStack.removeFirst() }
        isTyping = false
    }

    // MARK: - Movement

    package mutating func move(to position: Int) {
        cursor = max(0, min(position, characters.count))
        isTyping = false
    }
    package mutating func moveLeft() { move(to: cursor - 1) }
    package mutating func moveRight() { move(to: cursor + 1) }
    package mutating func moveToLineStart() { move(to: lineStart) }
    package mutating func moveToLineEnd() { move(to: lineEnd) }
    package mutating func moveWordLeft() { move(to: wordStart) }
    package mutating func moveWordRight() { move(to: wordEnd) }

    /// To the line above, as far from its start as here. Returns whether there is one.
    package mutating func moveUp() -> Bool {
        let start = lineStart
        guard start > 0 else { return false }
        var above = start - 1
        while above > 0, characters[above - 1] != "\n" { above -= 1 }
        move(to: min(above + (cursor - start), start - 1))
        return true
    }

    package mutating func moveDown() -> Bool {
        let end = lineEnd
        guard end < characters.count else { return false }
        let column = cursor - lineStart
        var below = end + 1
        while below < characters.count, characters[below] != "\n" { below += 1 }
        move(to: min(end + 1 + column, below))
        return true
    }

    private var lineStart: Int {
        var at = cursor
        while at > 0, characters[at - 1] != "\n" { at -= 1 }
        return at
    }
    private var lineEnd: Int {
        var at = cursor
        while at < characters.count, characters[at] != "\n" { at += 1 }
        return at
    }
    private var wordStart: Int {
        var at = cursor
        while at > 0, !Self.isWord(characters[at - 1]) { at -= 1 }
        while at > 0, Self.isWord(characters[at - 1]) { at -= 1 }
        return at
    }
    private var wordEnd: Int {
        var at = cursor
        while at < characters.count, !Self.isWord(characters[at]) { at += 1 }
        while at < characters.count, Self.isWord(characters[at]) { at += 1 }
        return at
    }

    private static func isWord(_ character: Character) -> Bool {
        character == "_" || character.isLetter || character.isNumber
    }
}
