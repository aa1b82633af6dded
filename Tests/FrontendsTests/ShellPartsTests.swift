// Parts of the shell that need neither terminal nor engine: scripts, variables, addresses, commands, forms of output.

import Columnar
import Diagnostics
import Frontends
import Testing

@Suite struct ScriptPieceTests {
    private func pieces(_ script: String) -> [ScriptPiece] {
        var splitter = StatementSplitter(takesCommands: true)
        splitter.feed(script + "\n")
        var found: [ScriptPiece] = []
        while let piece = splitter.next() { found.append(piece) }
        return found
    }

    @Test func commandsEndWithTheirLine() {
        #expect(
            pieces("\\x\nSELECT 1; \\timing on") == [
                .command("\\x"), .statement("SELECT 1"), .command("\\timing on"),
            ])
        #expect(
            pieces("SELECT '\\x', \"a\\b\", E'\\'' /* \\q */; -- \\q") == [
                .statement("SELECT '\\x', \"a\\b\", E'\\'' /* \\q */")
            ])
    }

    @Test func aCommandBehindAnOpenStatementLeavesIt() {
        var splitter = StatementSplitter(takesCommands: true)
        splitter.feed("SELECT 1\n \\gx\n")
        #expect(splitter.next() == .command("\\gx"))
        #expect(splitter.openText == "SELECT 1")
        splitter.dropOpenText()
        splitter.feed("SELECT 2;\n")
        #expect(splitter.next() == .statement("SELECT 2"))
    }
}

@Suite struct ShellVariablesTests {
    @Test func interpolation() {
        var variables = ShellVariables()
        variables["n"] = "5"
        variables["name"] = "it's"
        #expect(
            variables.interpolated("SELECT :n, :'name', :\"name\", :n::text") == "SELECT 5, 'it''s', \"it's\", 5::text")
        #expect(
            variables.interpolated("SELECT ':n', \":n\", x::n, a[1:n], :unknown -- :n")
                == "SELECT ':n', \":n\", x::n, a[15], :unknown -- :n")
        #expect(variables.interpolated("SELECT $$:n$$") == "SELECT $$:n$$")
    }
}

@Suite struct ServerAddressTests {
    @Test func forms() throws {
        let standard = ServerAddress(host: "h", port: 5433, user: "u", database: "d")
        #expect(try ServerAddress("example", defaults: standard).host == "example")
        #expect(try ServerAddress("example:99", defaults: standard).port == 99)
        #expect(
            try ServerAddress("[::1]:7", defaults: standard)
                == ServerAddress(host: "::1", port: 7, user: "u", database: "d"))
        let whole = try ServerAddress("postgresql://me:a%40b@example:1/data?sslmode=disable", defaults: standard)
        var expected = ServerAddress(host: "example", port: 1, user: "me", database: "data", password: "a@b")
        expected.encryption = .disable
        #expect(whole == expected)
        for wrong in ["example:port", "example:0", "ftp://x", "[::1"] {
            #expect(throws: QueryError.self, "\(wrong)") { try ServerAddress(wrong, defaults: standard) }
        }
    }
}

@Suite struct MetaCommandTests {
    @Test func words() throws {
        let command = try #require(MetaCommand("\\o '/tmp/a b' x;"))
        #expect(command.name == "o")
        #expect(command.arguments == ["/tmp/a b", "x"])
        #expect(command.rest == "'/tmp/a b' x;")
        #expect(MetaCommand("\\d \"A b\".c")?.arguments == ["\"A b\".c"])
        #expect(MetaCommand("SELECT") == nil)
        #expect(Set(MetaCommand.names).count == MetaCommand.names.count)
    }
}

@Suite struct TableStyleTests {
    private func render(_ style: TableStyle, _ rows: [[String?]], _ columns: [ResultColumn]) throws -> String {
        let output = TextOutput()
        let renderer = OutputFormat.table.makeRenderer(columns, output: output, style: style)
        try renderer.append(ResultRows(texts: rows.map { $0.map { $0.map { Array($0.utf8) } } }))
        try renderer.finish()
        return String(decoding: output.bytes, as: UTF8.self)
    }
    private let columns = [
        ResultColumn(name: "id", json: .number), ResultColumn(name: "text", json: .string),
        ResultColumn(name: "more", json: .string),
    ]

    private static func lines(_ text: String) -> [Substring] { text.split(whereSeparator: { $0 == "\n" }) }

    @Test func longTextsGiveWayFirst() throws {
        var style = TableStyle()
        style.border = .unicode
        style.columnsMax = 30
        let text = try render(style, [["1", "abcdefghijklmnopqrstuvwxyz", "short"]], columns)
        #expect(text.contains("…│") || text.contains("… │"))
        #expect(text.contains("short"))
        #expect(text.contains("long values are cut"))
        #expect(Self.lines(text).prefix(3).allSatisfy { $0.count <= 31 })
    }

    @Test func columnsWithoutRoomAreLeftOut() throws {
        var style = TableStyle()
        style.columnsMax = 20
        let many = (1...9).map { ResultColumn(name: "c\($0)", json: .number) }
        let text = try render(style, [(1...9).map { "\($0)" }], many)
        #expect(text.contains("of 9 columns shown"))
        #expect(Self.lines(text).prefix(3).allSatisfy { $0.count <= 20 })
    }

    @Test func rowsBeyondTheLimitAreCounted() throws {
        var style = TableStyle()
        style.rowsMax = 2
        let text = try render(style, [["1", "a", "b"], ["2", "a", "b"], ["3", "a", "b"]], columns)
        #expect(text.contains("(3 rows, 2 shown)"))
        #expect(!text.contains("  3 |"))
    }

    @Test func wideRowsCanBeExpanded() throws {
        var style = TableStyle()
        style.columnsMax = 20
        style.expandsWideRows = true
        let text = try render(style, [["1", "abcdefghijklmnop", "short"]], columns)
        #expect(text.contains("text | abcdefghijklmnop\n"))
    }

    @Test func html() throws {
        let output = TextOutput()
        let renderer = OutputFormat.html.makeRenderer([ResultColumn(name: "a<b", json: .number)], output: output)
        try renderer.append(ResultRows(texts: [[Array("1&2".utf8)]]))
        try renderer.finish()
        let text = String(decoding: output.bytes, as: UTF8.self)
        #expect(text.contains("<th>a&lt;b</th>"))
        #expect(text.contains("<td align=\"right\">1&amp;2</td>"))
    }
}

@Suite struct ProgressTests {
    @Test func line() {
        let progress = QueryProgress(share: 0.25, rows: 1_500_000, bytes: 3 << 20, stages: 3, endedStages: 1)
        #expect(
            progress.line(milliseconds: 2000, width: 200)
                == "[#####...............] 25 %  1.5 M rows  3.0 MiB  stage 2 of 3  2.0 s  6.0 s left")
        #expect(progress.line(milliseconds: 2000, width: 30) == "[#####...............] 25 %")
        #expect(
            QueryProgress(isQueued: true, queuedReason: "memory").line(milliseconds: 700, width: 80)
                == "queued (memory)  700 ms")
    }
}
