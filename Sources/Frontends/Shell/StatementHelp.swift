// \h: the form of each kind of statement, short enough to be read at a glance.

extension Shell {
    /// Prints the forms of statements whose name begins so; the names of all without one.
    func statementHelp(_ name: String) -> Bool {
        var wanted = name.uppercased()
        while wanted.last == ";" || wanted.last == " " { wanted.removeLast() }
        guard !wanted.isEmpty else {
            say("\\h STATEMENT shows the form of one:\n")
            var line = " "
            for entry in StatementForm.all {
                if line.count + entry.name.count > 76 {
                    say(line)
                    line = " "
                }
                line += " \(entry.name),"
            }
            say(String(line.dropLast()))
            return true
        }
        let found = StatementForm.all.filter { $0.name == wanted }
        let shown = found.isEmpty ? StatementForm.all.filter { $0.name.hasPrefix(wanted) } : found
        guard !shown.isEmpty else {
            return reportAndFail(.undefinedObject, "there is no statement \"\(name)\"", hint: "\\h lists them.")
        }
        for form in shown { say("\(form.name): \(form.purpose)\n\n\(form.lines)\n") }
        return true
    }
}

struct StatementForm {
    var name: String
    var purpose: String
    /// Brackets may be left out, bars choose, dots repeat.
    var lines: String

    init(_ name: String, _ purpose: String, _ lines: String) {
        self.name = name
        self.purpose = purpose
        self.lines = lines.split(separator: "\n").map { "    \($0)" }.joined(separator: "\n")
    }

    static let all: [StatementForm] = [
        StatementForm(
            "SELECT", "rows of a query",
            """
            [WITH [RECURSIVE] name [(columns)] AS (query), …]
            SELECT [ALL | DISTINCT [ON (expressions)]] expression [AS name], … | *
            [FROM relation [alias] [JOIN relation ON condition | USING (columns)] …]
            [WHERE condition]
            [GROUP BY expressions | ROLLUP (…) | CUBE (…) | GROUPING SETS (…)]
            [HAVING condition] [WINDOW name AS (definition), …]
            [UNION | INTERSECT | EXCEPT [ALL] query]
            [ORDER BY expression [ASC | DESC] [NULLS FIRST | LAST], …]
            [LIMIT count] [OFFSET count]
            """),
        StatementForm("VALUES", "rows that are written down", "VALUES (expression, …), …"),
        StatementForm(
            "INSERT", "new rows of a table",
            """
            INSERT INTO table [(columns)] VALUES (expression | DEFAULT, …), … | query
            [ON CONFLICT [(columns)] DO NOTHING | DO UPDATE SET column = expression, … [WHERE condition]]
            [RETURNING expression, …]
            """),
        StatementForm(
            "UPDATE", "other values in rows of a table",
            """
            UPDATE table [alias] SET column = expression, …
            [FROM relations] [WHERE condition] [RETURNING expression, …]
            """),
        StatementForm(
            "DELETE", "rows of a table go",
            "DELETE FROM table [alias] [USING relations] [WHERE condition] [RETURNING expression, …]"),
        StatementForm("TRUNCATE", "all rows of tables go", "TRUNCATE [TABLE] table, …"),
        StatementForm(
            "COPY", "rows between a table or query and a file or the client",
            """
            COPY table [(columns)] FROM 'file' | STDIN [WITH (FORMAT csv | text | parquet | json, HEADER, DELIMITER ',', NULL '')]
            COPY table | (query) TO 'file' | STDOUT [WITH (…)]
            """),
        StatementForm(
            "CREATE TABLE", "a table",
            """
            CREATE [TEMPORARY] TABLE [IF NOT EXISTS] table (
                column type [NOT NULL] [DEFAULT expression] [PRIMARY KEY] [UNIQUE] [CHECK (condition)] [REFERENCES table (column)], …
                [PRIMARY KEY (columns)] [UNIQUE (columns)] [FOREIGN KEY (columns) REFERENCES table (columns)])
            CREATE [TEMPORARY] TABLE table AS query
            """),
        StatementForm(
            "ALTER TABLE", "a table's definition changes",
            """
            ALTER TABLE table ADD COLUMN column type … | DROP COLUMN column | RENAME COLUMN column TO name | RENAME TO name
            ALTER TABLE table ALTER COLUMN column SET DEFAULT expression | DROP DEFAULT | SET NOT NULL | DROP NOT NULL | TYPE type
            ALTER TABLE table ADD CONSTRAINT name … | DROP CONSTRAINT name
            """),
        StatementForm(
            "CREATE VIEW", "a query under a name", "CREATE [OR REPLACE] VIEW view [(columns)] AS query"),
        StatementForm(
            "CREATE MATERIALIZED VIEW", "a query whose rows are kept",
            "CREATE MATERIALIZED VIEW [IF NOT EXISTS] view AS query [WITH [NO] DATA]"),
        StatementForm("REFRESH", "rows of a materialized view anew", "REFRESH MATERIALIZED VIEW view"),
        StatementForm("CREATE SCHEMA", "a place for tables", "CREATE SCHEMA [IF NOT EXISTS] schema"),
        StatementForm(
            "CREATE SEQUENCE", "numbers one after the other", "CREATE SEQUENCE name [INCREMENT n] [START n] …"),
        StatementForm(
            "CREATE TYPE", "a type", "CREATE TYPE name AS ENUM ('label', …)\nCREATE TYPE name AS (field type, …)"),
        StatementForm("CREATE INDEX", "an index", "CREATE [UNIQUE] INDEX [name] ON table (columns)"),
        StatementForm(
            "DROP", "something goes",
            "DROP TABLE | VIEW | MATERIALIZED VIEW | SCHEMA | SEQUENCE | TYPE | INDEX [IF EXISTS] name, … [CASCADE]"),
        StatementForm(
            "EXPLAIN", "the plan of a statement, with what it did after ANALYZE",
            "EXPLAIN [ANALYZE] [(ANALYZE, FORMAT text | json, …)] statement"),
        StatementForm("ANALYZE", "statistics of tables anew", "ANALYZE [table, …]"),
        StatementForm("DESCRIBE", "columns of a table, file or query", "DESCRIBE table | 'file' | query"),
        StatementForm(
            "SHOW", "a setting, or what there is",
            "SHOW setting | ALL\nSHOW TABLES | SCHEMAS | DATABASES | FUNCTIONS"),
        StatementForm("SET", "a setting of the session", "SET [LOCAL] setting = value | DEFAULT"),
        StatementForm("RESET", "a setting as it was", "RESET setting | ALL"),
        StatementForm(
            "BEGIN", "a transaction begins", "BEGIN [ISOLATION LEVEL level] [READ ONLY]"),
        StatementForm("COMMIT", "the transaction's changes hold", "COMMIT"),
        StatementForm("ROLLBACK", "the transaction's changes go", "ROLLBACK [TO SAVEPOINT name]"),
        StatementForm("SAVEPOINT", "a place to roll back to", "SAVEPOINT name\nRELEASE SAVEPOINT name"),
        StatementForm("PREPARE", "a statement with parameters", "PREPARE name [(types)] AS statement"),
        StatementForm("EXECUTE", "a prepared statement runs", "EXECUTE name [(values)]"),
        StatementForm("DEALLOCATE", "a prepared statement goes", "DEALLOCATE name | ALL"),
        StatementForm("DECLARE", "a cursor over a query", "DECLARE name [SCROLL] CURSOR [WITH HOLD] FOR query"),
        StatementForm(
            "FETCH", "rows of a cursor", "FETCH [NEXT | PRIOR | FIRST | LAST | n | ALL] FROM name\nMOVE … FROM name"),
        StatementForm("COMMENT", "a text about something", "COMMENT ON TABLE | COLUMN | VIEW | SCHEMA name IS 'text'"),
        StatementForm("ALTER WORKER", "a worker ends its work and leaves", "ALTER WORKER name DRAIN"),
    ]
}
