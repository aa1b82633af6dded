// Rows in every form, compared with what they must look like.

import Columnar
import Diagnostics
import Frontends
import Testing

private let columns = [
    ResultColumn(Field(name: "id", type: .int32)), ResultColumn(Field(name: "name", type: .text)),
    ResultColumn(Field(name: "ok", type: .boolean)),
]

private func render(_ format: OutputFormat, _ rows: [[String?]], columns: [ResultColumn] = columns) throws -> String {
    let output = TextOutput()
    let renderer = format.makeRenderer(columns, output: output)
    if !rows.isEmpty { try renderer.append(ResultRows(texts: rows.map { $0.map { $0.map { Array($0.utf8) } } })) }
    try renderer.finish()
    return String(decoding: output.bytes, as: UTF8.self)
}

@Suite struct RenderingTests {
    private let rows: [[String?]] = [["1", "a,b", "t"], ["23", nil, "f"], ["4", "say \"hi\"\nthere", nil]]

    @Test func table() throws {
        #expect(
            try render(.table, rows) == """
                 id |   name   | ok 
                ----+----------+----
                  1 | a,b      | t
                 23 |          | f
                  4 | say "hi"+| 
                    | there    | 
                (3 rows)


                """)
    }

    @Test(arguments: [(OutputFormat.parquet, "PAR1"), (.arrow, "ARROW1")])
    func filesOfBinaryFormats(_ format: OutputFormat, _ magic: String) throws {
        let columns = [
            ResultColumn(name: "n", postgresType: 23), ResultColumn(name: "d", postgresType: 1082),
            ResultColumn(name: "p", postgresType: 1700, modifier: (10 << 16) + 2 + 4),
            ResultColumn(name: "x", postgresType: 1700), ResultColumn(name: "t", postgresType: 25),
        ]
        #expect(columns.map(\.type) == [.int32, .date, .decimal(precision: 10, scale: 2), .anyNumeric, .text])
        let rows = ResultRows(
            texts: [["1", "2024-02-29", "1.50", "3.25", "a"], [nil, nil, nil, nil, nil]].map { row in
                row.map { $0.map { Array($0.utf8) } }
            })
        let output = TextOutput()
        let renderer = format.makeRenderer(columns, output: output)
        try renderer.append(rows)
        try renderer.finish()
        #expect(output.bytes.starts(with: magic.utf8))
        #expect(Array(output.bytes.suffix(magic.utf8.count)) == Array(magic.utf8))
        // Nothing can stand behind it.
        #expect(throws: QueryError.self) { try format.makeRenderer(columns, output: output).finish() }
        // A result without rows is a file, too; what is no value of its type is none.
        let empty = TextOutput()
        try format.makeRenderer(columns, output: empty).finish()
        #expect(empty.bytes.starts(with: magic.utf8))
        let wrong = format.makeRenderer([columns[0]], output: TextOutput())
        #expect(throws: QueryError.self) { try wrong.append(ResultRows(texts: [[Array("x".utf8)]])) }
    }

    @Test func tableCountsWideCharacters() throws {
        let text = try render(.table, [["東京"], ["é"]], columns: [ResultColumn(name: "c", json: .string)])
        #expect(text == "  c   \n------\n 東京\n é\n(2 rows)\n\n")
    }

    @Test func csv() throws {
        #expect(try render(.csv, rows) == "id,name,ok\n1,\"a,b\",t\n23,,f\n4,\"say \"\"hi\"\"\nthere\",\n")
        #expect(try render(.csv, [["1", "", "t"]]) == "id,name,ok\n1,\"\",t\n")
        #expect(try render(.csv, []) == "id,name,ok\n")
    }

    @Test func tsv() throws {
        #expect(try render(.tsv, rows) == "id\tname\tok\n1\ta,b\tt\n23\t\\N\tf\n4\tsay \"hi\"\\nthere\t\\N\n")
    }

    @Test func json() throws {
        #expect(
            try render(.json, rows) == """
                [{"id":1,"name":"a,b","ok":true},
                 {"id":23,"name":null,"ok":false},
                 {"id":4,"name":"say \\"hi\\"\\nthere","ok":null}]

                """)
        #expect(try render(.jsonl, [["1", "x", "t"]]) == "{\"id\":1,\"name\":\"x\",\"ok\":true}\n")
        #expect(try render(.json, []) == "[]\n")
        #expect(try render(.jsonl, [["NaN", "x", "t"]]).hasPrefix("{\"id\":\"NaN\""))
    }

    @Test func markdown() throws {
        #expect(
            try render(.markdown, [["1", "a|b", "t"]]) == """
                | id  | name | ok  |
                | --: | ---- | --- |
                |   1 | a\\|b | t   |

                """)
    }

    @Test func expanded() throws {
        #expect(try render(.expanded, [["1", "x", "t"]]) == "-[ RECORD 1 ]---\nid   | 1\nname | x\nok   | t\n\n")
    }

    @Test func vectorsAndNulls() throws {
        let builder = VectorBuilder(type: .decimal(precision: 10, scale: 2), capacity: 2)
        builder.append(.decimal(-105))
        builder.append(.null)
        let output = TextOutput()
        let renderer = OutputFormat.csv.makeRenderer(
            [ResultColumn(Field(name: "d", type: .decimal(precision: 10, scale: 2)))], output: output)
        try renderer.append(ResultRows(Batch(columns: [builder.finish()], rowCount: 2), settings: TextSettings()))
        try renderer.finish()
        #expect(String(decoding: output.bytes, as: UTF8.self) == "d\n-1.05\n\n")
    }
}

@Suite struct StatementSplitterTests {
    @Test(
        arguments: [
            ("select 1; select 2", ["select 1"], "select 2"), ("select ';'; ", ["select ';'"], nil),
            ("select $x$ ; $x$;", ["select $x$ ; $x$"], nil), ("-- a ; b\n;", [], nil),
            ("/* ; /* ; */ ; */ select 1;", ["/* ; /* ; */ ; */ select 1"], nil),
            ("select e'\\';' ; x", ["select e'\\';'"], "x"), ("select \"a;b\";;", ["select \"a;b\""], nil),
            ("select $1; select 2", ["select $1"], "select 2"), ("(;", [], "(;"),
        ] as [(String, [String], String?)])
    func splits(_ text: String, _ statements: [String], _ rest: String?) {
        var splitter = StatementSplitter()
        #expect(splitter.append(text) == statements)
        #expect(splitter.finish() == rest)
    }

    @Test func piecesGiveTheSame() {
        let text = "select 'a;''b' /* c; */ ; select $q$;$q$ -- x;\n; select 3;"
        var whole = StatementSplitter()
        let expected = whole.append(text)
        var pieces = StatementSplitter()
        #expect(text.flatMap { pieces.append(String($0)) } == expected)
        #expect(expected.count == 3)
    }
}

@Suite struct ErrorTextTests {
    @Test func marksThePlace() {
        let error = QueryError(
            .undefinedColumn, "column \"b\" does not exist", detail: "D.", hint: "H.", at: SourcePosition(offset: 14))
        #expect(
            ErrorText.format(error, sql: "select a,\n    b") == """
                ERROR:  column "b" does not exist
                LINE 2:     b
                            ^
                DETAIL:  D.
                HINT:  H.

                """)
    }
}
