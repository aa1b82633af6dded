// LineEditing: what a person types at a terminal becomes statements.
//
//   KeyDecoder            bytes of the terminal → keys
//   EditBuffer            the text, its cursor, undo
//   LineEditorInstance    what keys do: editing, history, search, completion — this file
//   EditorScreen          what is seen → bytes for the terminal
//   StatementHistory      the file of earlier statements
//   SQLToken, SQLHighlighter, CompletionContext    a look at the statement while it is written
//   Terminal              termios, sizes, the thread that reads
//
// All but the last are values without clock and descriptor; tests drive them with keys.

/// One possible end of the word at the cursor.
package struct Completion: Hashable, Sendable {
    /// What takes the place of the word.
    package var text: String
    /// Put behind when it is the only one: a blank, a closing quote, or nothing.
    package var suffix: String
    /// What the menu shows.
    package var label: String

    package init(_ text: String, suffix: String = "", label: String? = nil) {
        self.text = text
        self.suffix = suffix
        self.label = label ?? text
    }
}

/// Edits one statement at a time. Takes keys, returns what is to be done; `view` says what is to be seen.
package struct LineEditorInstance {
    package enum Directive: Hashable, Sendable {
        /// The text is complete. The editor is empty again.
        case submit(String)
        /// Ctrl-C: this text was given up.
        case interrupted(String)
        /// Ctrl-D on an empty text.
        case end
        /// Completions of the word at the cursor are wanted; the answer goes to `offer`.
        case complete(CompletionContext)
        case bell
        case clearScreen
        case suspend
        /// The text is to be edited in another program; the answer goes to `replaceText`.
        case editElsewhere(String)
    }

    package struct Menu: Hashable, Sendable {
        package var items: [Completion]
        package var range: Range<Int>
        /// `nil` until the person steps into the menu.
        package var selected: Int?
        var original: String
    }

    package enum Mode: Hashable, Sendable {
        case editing
        case menu(Menu)
        /// Searching backwards in the history. `found` is an index into it.
        case searching(text: String, found: Int?)
    }

    package private(set) var buffer = EditBuffer()
    package private(set) var mode = Mode.editing
    private let history: StatementHistory
    private let isComplete: (String) -> Bool
    /// Where in the history the text is from, and what was there before it was left.
    private var historyIndex: Int?
    private var draft = ""
    private var beforeSearch = ""
    /// Behind Ctrl-X.
    private var isPrefixed = false

    package init(history: StatementHistory, isComplete: @escaping (String) -> Bool) {
        self.history = history
        self.isComplete = isComplete
    }

    // MARK: - Answers to directives

    package mutating func replaceText(_ text: String) {
        mode = .editing
        buffer.replaceAll(text)
    }

    /// Completions that were asked for. They are ignored when the text has changed since.
    package mutating func offer(_ completions: [Completion], for context: CompletionContext) -> [Directive] {
        guard mode == .editing, buffer.cursor == context.range.upperBound else { return [] }
        let written = String(buffer.characters[context.range])
        guard let first = completions.first else { return [.bell] }
        if completions.count == 1 {
            let isBeforeWord = !buffer.isAtEnd && buffer.characters[buffer.cursor] != "\n"
            buffer.replace(context.range, with: first.text + (isBeforeWord ? "" : first.suffix))
            return []
        }
        let common = Self.commonPrefix(completions.map(\.text))
        if common.count > written.count {
            buffer.replace(context.range, with: common)
            let range = context.range.lowerBound..<buffer.cursor
            mode = .menu(Menu(items: completions, range: range, selected: nil, original: common))
        } else {
            mode = .menu(Menu(items: completions, range: context.range, selected: nil, original: written))
        }
        return []
    }

    private static func commonPrefix(_ texts: [String]) -> String {
        var common = Array(texts.first ?? "")
        for text in texts.dropFirst() {
            var length = 0
            for (own, other) in zip(common, text) {
                guard own == other else { break }
                length += 1
            }
            common.removeLast(common.count - length)
        }
        return String(common)
    }

    // MARK: - Hints

    /// What the newest entry of the history that begins like the text goes on with.
    package var hint: String {
        guard mode == .editing, buffer.isAtEnd, !buffer.isEmpty else { return "" }
        let text = buffer.text
        guard text.contains(where: { !$0.isWhitespace }), !text.contains("\n"),
            let entry = history.entries.last(where: { $0.count > text.count && $0.hasPrefix(text) })
        else { return "" }
        let rest = entry.dropFirst(text.count)
        return String(rest.prefix { $0 != "\n" })
    }

    // MARK: - Keys

    package mutating func handle(_ key: Key) -> [Directive] {
        if isPrefixed {
            isPrefixed = false
            return key == .control("e") ? [.editElsewhere(buffer.text)] : [.bell]
        }
        switch mode {
        case .searching(let text, let found): return search(key, text, found)
        case .menu(let menu):
            if let result = inMenu(key, menu) { return result }
            mode = .editing
        case .editing: break
        }
        return edit(key)
    }

    private mutating func edit(_ key: Key) -> [Directive] {
        switch key {
        case .character(let character): buffer.insert(String(character), isTyped: true)
        case .paste(let text): return paste(text)
        case .enter: return enter()
        case .altEnter: buffer.insert("\n")
        case .tab: return tab()
        case .backspace, .control("h"): buffer.deleteBackward()
        case .delete: buffer.deleteForward()
        case .control("d"):
            if buffer.isEmpty { return [.end] }
            buffer.deleteForward()
        case .control("c"):
            let text = buffer.text
            reset()
            return [.interrupted(text)]
        case .control("l"): return [.clearScreen]
        case .control("z"): return [.suspend]
        case .control("x"): isPrefixed = true
        case .control("r"):
            beforeSearch = buffer.text
            mode = .searching(text: "", found: nil)
        default: return moveOrKill(key)
        }
        return []
    }

    private mutating func moveOrKill(_ key: Key) -> [Directive] {
        switch key {
        case .left, .control("b"): buffer.moveLeft()
        case .right, .control("f"): if !takeHint() { buffer.moveRight() }
        case .home, .control("a"): buffer.moveToLineStart()
        case .end, .control("e"): if !takeHint() { buffer.moveToLineEnd() }
        case .wordLeft, .alt("b"): buffer.moveWordLeft()
        case .wordRight, .alt("f"): buffer.moveWordRight()
        case .up: if !buffer.moveUp() { return recall(-1) }
        case .down: if !buffer.moveDown() { return recall(1) }
        case .control("p"): return recall(-1)
        case .control("n"): return recall(1)
        case .pageUp: buffer.move(to: 0)
        case .pageDown: buffer.move(to: buffer.characters.count)
        case .control("k"): buffer.killToLineEnd()
        case .control("u"): buffer.killToLineStart()
        case .control("w"): buffer.killBlankWordBackward()
        case .altBackspace: buffer.killWordBackward()
        case .alt("d"): buffer.killWordForward()
        case .control("y"): buffer.yank()
        case .control("t"): buffer.transpose()
        case .control("_"): return buffer.undo() ? [] : [.bell]
        case .escape, .other, .backTab: break
        default: return [.bell]
        }
        return []
    }

    private mutating func takeHint() -> Bool {
        let rest = hint
        guard !rest.isEmpty else { return false }
        // The whole entry, of which the hint shows the first line.
        let text = buffer.text
        if let entry = history.entries.last(where: { $0.count > text.count && $0.hasPrefix(text) }) {
            buffer.replaceAll(entry)
        }
        return true
    }

    private mutating func reset() {
        buffer.clear()
        mode = .editing
        historyIndex = nil
        draft = ""
    }

    private mutating func enter() -> [Directive] {
        let text = buffer.text
        guard isComplete(text) else {
            buffer.move(to: buffer.characters.count)
            buffer.insert("\n")
            return []
        }
        reset()
        return [.submit(text)]
    }

    /// Pasted statements run when the person presses Enter, not before.
    private mutating func paste(_ text: String) -> [Directive] {
        var rest = text[...]
        while rest.last == "\n" { rest = rest.dropLast() }
        buffer.insert(String(rest))
        return []
    }

    private mutating func tab() -> [Directive] {
        // At the start of a line of a longer statement a tab is indentation.
        let line = buffer.characters[..<buffer.cursor].reversed().prefix { $0 != "\n" }
        if line.allSatisfy(\.isWhitespace), buffer.characters[..<buffer.cursor].contains("\n") {
            buffer.insert("    ")
            return []
        }
        return [.complete(CompletionContext(buffer.characters, cursor: buffer.cursor))]
    }

    // MARK: - History

    private mutating func recall(_ step: Int) -> [Directive] {
        let count = history.entries.count
        let next = (historyIndex ?? count) + step
        guard next >= 0, next <= count, historyIndex != nil || step < 0 else { return [.bell] }
        if historyIndex == nil { draft = buffer.text }
        if next == count {
            historyIndex = nil
            buffer.replaceAll(draft)
        } else {
            historyIndex = next
            buffer.replaceAll(history.entries[next])
        }
        return []
    }

    private mutating func search(_ key: Key, _ text: String, _ found: Int?) -> [Directive] {
        switch key {
        case .character(let character): look(for: text + String(character), before: (found ?? Int.max - 1) + 1)
        case .paste(let pasted): look(for: text + pasted, before: (found ?? Int.max - 1) + 1)
        case .backspace, .control("h"): look(for: String(text.dropLast()), before: .max)
        case .control("r"):
            guard let found, let next = history.search(text, before: found) else { return [.bell] }
            mode = .searching(text: text, found: next)
            buffer.replaceAll(history.entries[next])
        case .control("g"), .escape, .control("c"):
            buffer.replaceAll(beforeSearch)
            mode = .editing
        case .enter:
            mode = .editing
            historyIndex = found
            return enter()
        default:
            mode = .editing
            historyIndex = found
            return edit(key)
        }
        return []
    }

    private mutating func look(for text: String, before index: Int) {
        let found = history.search(text, before: index)
        mode = .searching(text: text, found: found)
        if let found { buffer.replaceAll(history.entries[found]) }
    }

    // MARK: - The menu

    /// `nil`: the key closes the menu and then does what it does.
    private mutating func inMenu(_ key: Key, _ menu: Menu) -> [Directive]? {
        var menu = menu
        let count = menu.items.count
        switch key {
        case .tab,
            .right where menu.selected != nil, .down where menu.selected != nil:
            menu.selected = menu.selected.map { ($0 + 1) % count } ?? 0
        case .backTab,
            .left where menu.selected != nil, .up where menu.selected != nil:
            menu.selected = ((menu.selected ?? 0) + count - 1) % count
        case .enter where menu.selected != nil:
            mode = .editing
            return []
        case .escape, .control("g"):
            buffer.replace(menu.range, with: menu.original)
            mode = .editing
            return []
        default: return nil
        }
        if let selected = menu.selected {
            buffer.replace(menu.range, with: menu.items[selected].text)
            menu.range = menu.range.lowerBound..<buffer.cursor
        }
        mode = .menu(menu)
        return []
    }
}
