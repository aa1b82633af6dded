// The line editor, driven by keys: decoding, editing, history, search, completion, and what is painted.

import Frontends
import Testing

private func keys(_ text: String) -> [Key] {
    var decoder = KeyDecoder()
    return decoder.decode(Array(text.utf8)) + decoder.flush()
}

/// An editor with a history, and what it asked for.
private struct Bench {
    var editor: LineEditorInstance
    var directives: [LineEditorInstance.Directive] = []

    init(_ entries: [String] = []) {
        let history = StatementHistory(path: nil)
        for entry in entries { history.add(entry) }
        editor = LineEditorInstance(history: history) { text in
            var splitter = StatementSplitter()
            _ = splitter.append(text + "\n")
            return splitter.isEmpty
        }
    }

    @discardableResult
    mutating func type(_ text: String) -> [LineEditorInstance.Directive] {
        directives = keys(text).flatMap { editor.handle($0) }
        return directives
    }
    var text: String { editor.buffer.text }
}

@Suite struct KeyDecoderTests {
    @Test func sequences() {
        #expect(
            keys("a\u{1B}[A\u{1B}OB\u{1B}[1;5C\u{1B}[3~\u{7F}\r\t") == [
                .character("a"), .up, .down, .wordRight, .delete, .backspace, .enter, .tab,
            ])
        #expect(keys("\u{01}\u{12}\u{1B}b\u{1B}\r") == [.control("a"), .control("r"), .alt("b"), .altEnter])
    }

    @Test func aSequenceMayComeInPieces() {
        var decoder = KeyDecoder()
        #expect(decoder.decode([0x1B]) == [])
        #expect(decoder.isWaiting)
        #expect(decoder.decode(Array("[".utf8)) == [])
        #expect(decoder.decode(Array("D".utf8)) == [.left])
        #expect(decoder.decode([0x1B]) == [])
        #expect(decoder.flush() == [.escape])
        #expect(decoder.decode([0xE6, 0x9D]) == [])
        #expect(decoder.decode([0xB1]) == [.character("東")])
    }

    @Test func pasteIsOneKeyWithPlainLineEnds() {
        #expect(
            keys("\u{1B}[200~SELECT 1;\r\n\tx\u{07}\u{1B}[201~!") == [
                .paste("SELECT 1;\n    x"), .character("!"),
            ])
    }

    @Test func brokenBytesAreNoText() {
        var decoder = KeyDecoder()
        #expect(decoder.decode([0xFF, 0xE6, 0x41]) == [.other, .other, .character("A")])
        let long = Array("\u{1B}[".utf8) + [UInt8](repeating: 0x31, count: 100) + Array("ab".utf8)
        #expect(decoder.decode(long).last == .character("b"))
    }
}

@Suite struct LineEditorTests {
    @Test func editing() {
        var bench = Bench()
        bench.type("select 1\u{01}X\u{05}2\u{1B}[D\u{7F}")
        #expect(bench.text == "Xselect 2")
        bench.type("\u{17}\u{19}")
        #expect(bench.text == "Xselect 2")
        bench.type("\u{15}")
        #expect(bench.text == "2")
        bench.type("\u{1F}")
        #expect(bench.text == "Xselect 2")
    }

    @Test func enterEndsACompleteStatementOnly() {
        var bench = Bench()
        #expect(bench.type("SELECT 1\r").isEmpty)
        #expect(bench.type("+ ';'\r").isEmpty)
        #expect(bench.type(";\r") == [.submit("SELECT 1\n+ ';'\n;")])
        #expect(bench.text.isEmpty)
        #expect(bench.type("\u{04}") == [.end])
        bench.type("a b")
        #expect(bench.type("\u{03}") == [.interrupted("a b")])
    }

    @Test func upGoesThroughLinesAndThenThroughTheHistory() {
        var bench = Bench(["SELECT 1;", "SELECT\n2;"])
        bench.type("SEL")
        bench.type("\u{1B}[A")
        #expect(bench.text == "SELECT\n2;")
        bench.type("\u{1B}[A")
        #expect(bench.editor.buffer.cursor == 2)
        bench.type("\u{1B}[A")
        #expect(bench.text == "SELECT 1;")
        bench.type("\u{0E}\u{0E}")
        #expect(bench.text == "SEL")
    }

    @Test func search() {
        var bench = Bench(["SELECT a FROM t;", "SELECT b;", "DELETE FROM t;"])
        bench.type("x\u{12}from t")
        #expect(bench.text == "DELETE FROM t;")
        bench.type("\u{12}")
        #expect(bench.text == "SELECT a FROM t;")
        #expect(bench.type("\r") == [.submit("SELECT a FROM t;")])
        bench.type("x\u{12}delete\u{07}")
        #expect(bench.text == "x")
        bench.type("\u{12}no such\u{1B}")
        #expect(bench.text == "x")
    }

    @Test func hintsComeFromTheHistory() {
        var bench = Bench(["SELECT a FROM t;"])
        bench.type("SELECT a")
        #expect(bench.editor.hint == " FROM t;")
        bench.type("\u{05}")
        #expect(bench.text == "SELECT a FROM t;")
        #expect(bench.editor.hint.isEmpty)
    }

    @Test func completions() {
        var bench = Bench()
        guard case .complete(let context) = bench.type("SELECT * FROM cu\t").first else {
            Issue.record("no completions were asked for")
            return
        }
        #expect(context.subject == .relation(within: []))
        #expect(context.prefix == "cu")
        _ = bench.editor.offer([Completion("customer", suffix: " ")], for: context)
        #expect(bench.text == "SELECT * FROM customer ")
        bench.type("\u{17}cu\t")
        _ = bench.editor.offer([Completion("customer"), Completion("customs")], for: context)
        #expect(bench.text == "SELECT * FROM custom")
        bench.type("\t\t")
        #expect(bench.text == "SELECT * FROM customs")
        bench.type("\r")
        #expect(bench.editor.mode == .editing)
        bench.type(" ")
        #expect(bench.text == "SELECT * FROM customs ")
    }

    @Test func pastedStatementsWait() {
        var bench = Bench()
        #expect(bench.type("\u{1B}[200~SELECT 1;\nSELECT 2;\n\u{1B}[201~").isEmpty)
        #expect(bench.type("\r") == [.submit("SELECT 1;\nSELECT 2;")])
    }

    @Test func charactersOfSeveralScalarsAreOne() {
        var bench = Bench()
        bench.type("e\u{301}x👩‍👩‍👧")
        #expect(bench.editor.buffer.characters.count == 3)
        bench.type("\u{7F}\u{7F}\u{7F}")
        #expect(bench.text.isEmpty)
    }
}

@Suite struct CompletionContextTests {
    private func context(_ text: String) -> CompletionContext {
        let before = text.split(separator: "|", omittingEmptySubsequences: false)[0]
        let characters = Array(text.split(separator: "|", omittingEmptySubsequences: false).joined())
        return CompletionContext(characters, cursor: before.count)
    }

    @Test(arguments: [
        ("sel|", CompletionContext.Subject.statement), ("SELECT 1; |", .statement), ("EXPLAIN s|", .statement),
        ("SELECT * FROM |", .relation(within: [])), ("SELECT * FROM a, b|", .relation(within: [])),
        ("SELECT * FROM tpch.tiny.o|", .relation(within: ["tpch", "tiny"])),
        ("INSERT INTO |", .relation(within: [])), ("SELECT a, |", .expression),
        ("SELECT o.| FROM orders o", .member(of: ["o"])), ("SELECT * FROM t WHERE a = f(b, |", .expression),
        ("SELECT * FROM 'data/|", .path(closing: "'")), ("\\d|", .metaCommand), ("\\i fi|", .path(closing: "")),
        ("\\d tiny.|", .relation(within: ["tiny"])), ("SET s|", .setting), ("\\format c|", .format),
    ])
    func subjects(_ text: String, _ subject: CompletionContext.Subject) {
        #expect(context(text).subject == subject, "\(text)")
    }

    @Test func relationsOfTheStatement() {
        let found = context("SELECT | FROM tiny.orders AS o JOIN \"Big\" USING (k), c WHERE EXISTS (SELECT FROM d e)")
        #expect(
            found.relations == [
                .init(name: ["tiny", "orders"], alias: "o"), .init(name: ["Big"], alias: nil),
                .init(name: ["d"], alias: "e"),
            ])
    }
}

@Suite struct EditorScreenTests {
    private func view(_ text: String, cursor: Int? = nil) -> EditorView {
        var view = EditorView()
        view.prompt = "> "
        view.continuationPrompt = ". "
        view.characters = Array(text)
        view.cursor = cursor ?? text.count
        return view
    }

    @Test func wrapsAndMovesBack() {
        var screen = EditorScreen(width: 6, height: 10, usesColour: false)
        #expect(screen.paint(view("abc")) == "\r\u{1B}[J> abc\r\u{1B}[5C")
        #expect(screen.paint(view("abcdef", cursor: 0)) == "\r\u{1B}[J> abcd\r\nef\u{1B}[1A\r\u{1B}[2C")
        #expect(screen.paint(view("ab\ncd")) == "\r\u{1B}[J> ab\r\n. cd\r\u{1B}[4C")
        #expect(screen.erase() == "\u{1B}[1A\r\u{1B}[J")
    }

    @Test func wideCharactersAreNotCut() {
        var screen = EditorScreen(width: 5, height: 10, usesColour: false)
        #expect(screen.paint(view("東京")) == "\r\u{1B}[J> 東\r\n京\r\u{1B}[2C")
    }

    @Test func aFullLineHasItsCursorOnTheNext() {
        var screen = EditorScreen(width: 5, height: 10, usesColour: false)
        #expect(screen.paint(view("abc")) == "\r\u{1B}[J> abc\r\n\r")
    }

    @Test func aNarrowerTerminalHasMoreRowsToTakeBack() {
        var screen = EditorScreen(width: 20, height: 10, usesColour: false)
        _ = screen.paint(view("abcdefghijkl\nx"))
        screen.resize(width: 7, height: 10)
        #expect(screen.erase().hasPrefix("\u{1B}[2A"))
    }

    @Test func coloursOfStatements() {
        let characters = Array("SELECT f('x', 1) -- c")
        let styles = SQLHighlighter.styles(characters)
        #expect(styles[0] == .keyword)
        #expect(styles[7] == .function)
        #expect(styles[9] == .string)
        #expect(styles[14] == .number)
        #expect(styles[17] == .comment)
    }
}

@Suite struct StatementHistoryTests {
    @Test func keptInAFile() throws {
        let path = "/tmp/martlet-history-\(UInt64.random(in: 0 ... .max))/deep/history"
        let history = StatementHistory(path: path)
        for entry in ["SELECT 1;", "SELECT\n'\\n';", "SELECT 1;", " SELECT 'secret';", "SELECT 1;\n"] {
            history.add(entry)
        }
        #expect(history.entries == ["SELECT\n'\\n';", "SELECT 1;"])
        #expect(StatementHistory(path: path).entries == history.entries)
    }

    @Test func bounded() {
        let history = StatementHistory(path: nil)
        for number in 0..<(StatementHistory.entryCountMax + 10) { history.add("SELECT \(number);") }
        #expect(history.entries.count == StatementHistory.entryCountMax)
        #expect(history.entries.first == "SELECT 10;")
    }
}
