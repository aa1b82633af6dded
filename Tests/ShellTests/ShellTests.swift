// The shell in a terminal, key by key, as a person meets it: editing, history, completion, interruption, pages, servers.

import Foundation
import Testing

/// A directory that goes with the test.
final class Place {
    let path = NSTemporaryDirectory() + "martlet-shell-\(UUID().uuidString)"
    init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }
    deinit { try? FileManager.default.removeItem(atPath: path) }

    func shell(
        _ arguments: [String] = [], columns: Int = 80, rows: Int = 24, environment: [String: String] = [:]
    ) throws -> PseudoTerminal {
        let terminal = try PseudoTerminal(
            ["sql"] + arguments, columns: columns, rows: rows,
            environment: ["XDG_STATE_HOME": path, "HOME": path].merging(environment) { $1 })
        terminal.waitForPrompt()
        return terminal
    }
}

let enter = "\r"
let up = "\u{1B}[A"

@Suite(.serialized, .timeLimit(.minutes(3))) struct ShellTerminalTests {
    @Test func statementsOfSeveralLinesAndHistory() throws {
        let place = try Place()
        let first = try place.shell()
        first.type("SELECT 40" + enter)
        first.wait("a further line") { $0.cursorLine == "martlet->" }
        first.type("+ 2 AS answer;" + enter)
        first.wait(for: "(1 row)")
        first.waitForPrompt()
        first.type(" SELECT 'private';" + enter)
        first.waitForPrompt()
        first.type("\u{04}")
        #expect(first.waitForEnd() == 0)

        let second = try place.shell()
        second.type(up)
        second.wait("the statement in both lines") { screen in
            screen.cursorLine == "martlet-> + 2 AS answer;" && screen.text.contains("martlet=> SELECT 40\n")
        }
        second.type("\u{03}")
        second.waitForPrompt()
        second.type("\u{12}answ")
        second.wait(for: "(search 'answ'): SELECT 40")
        second.type(enter)
        second.wait(for: "     42")
        second.waitForPrompt()
        second.type("\\q" + enter)
        #expect(second.waitForEnd() == 0)
        let kept = try String(contentsOfFile: place.path + "/martlet/history", encoding: .utf8)
        #expect(!kept.contains("private"))
    }

    @Test func completion() throws {
        let place = try Place()
        let shell = try place.shell()
        shell.type("SELECT count(*) FROM ti\t")
        shell.wait("the schema") { $0.cursorLine == "martlet=> SELECT count(*) FROM tiny." }
        shell.type("cu\t")
        shell.wait("the table") { $0.cursorLine == "martlet=> SELECT count(*) FROM tiny.customer" }
        shell.type("c WHERE c.c_n\t")
        shell.wait(for: "c_nationkey")
        shell.type("\t\t" + enter)
        shell.wait("a choice") { $0.cursorLine == "martlet=> SELECT count(*) FROM tiny.customer c WHERE c.c_nationkey" }
        shell.type(" = 1;" + enter)
        shell.wait(for: "(1 row)")
        shell.waitForPrompt()
        shell.type("\\ti\t")
        shell.wait("a command") { $0.cursorLine == "martlet=> \\timing" }
        shell.type("\u{15}sel\t1 as \"Wide\"; \\x" + enter)
        shell.wait(for: "Expanded display: on.")
        try "a,b\n1,2\n".write(toFile: place.path + "/numbers.csv", atomically: true, encoding: .utf8)
        shell.type("select sum(b) from '\(place.path)/num\t;" + enter)
        shell.wait(for: "sum | 2")
    }

    @Test func interruptionEndsTheQueryAndNotTheShell() throws {
        let shell = try Place().shell()
        shell.type("SELECT count(*) FROM generate_series(1, 100000000000);" + enter)
        shell.wait(for: "running", seconds: 20)
        shell.type("\u{03}")
        shell.wait(for: "canceling statement due to user request")
        shell.waitForPrompt()
        shell.type("SELECT 'still ' || 'here';" + enter)
        shell.wait(for: "still here")
        shell.waitForPrompt()
        #expect(!shell.screen.visibleLines.contains { $0.hasPrefix("running") })
        shell.type("SELECT 1 \\watch 0.2" + enter)
        shell.wait("three runs") { $0.text.components(separatedBy: "(1 row)").count > 3 }
        shell.type("\u{03}")
        shell.waitForPrompt()
    }

    @Test func progressOfLongQueries() throws {
        let shell = try Place().shell()
        shell.type("SELECT sum(length(l_comment)) FROM sf10.lineitem;" + enter)
        shell.wait(seconds: 60, "how far it is") { screen in
            screen.visibleLines.contains { $0.hasPrefix("[") && $0.contains(" %") && $0.contains(" rows") }
        }
        shell.type("\u{03}")
        shell.wait(for: "canceling statement due to user request", seconds: 60)
        shell.waitForPrompt()
        #expect(!shell.screen.visibleLines.contains { $0.hasPrefix("[") })
    }

    @Test func whatIsTypedDuringAQueryComesAfterIt() throws {
        let shell = try Place().shell()
        shell.type("SELECT pg_sleep(0.4);" + enter + "SELECT 'typed ' || 'ahead';" + enter)
        shell.wait(for: "typed ahead")
        shell.waitForPrompt()
    }

    @Test func resize() throws {
        let shell = try Place().shell(columns: 60)
        shell.type("SELECT 'abcdefghijklmnopqrstuvwxyz', 'abcdefghijkl'")
        shell.wait("the statement in two rows") { $0.cursorLine == "'" }
        shell.resize(columns: 30, rows: 24)
        shell.type(" AS x")
        shell.wait("the statement in three rows") { screen in
            screen.visibleLines.contains("martlet=> SELECT 'abcdefghijkl")
                && screen.visibleLines.contains("mnopqrstuvwxyz', 'abcdefghijkl")
                && screen.cursorLine == "' AS x"
        }
        shell.type("; \\r" + enter)
        shell.waitForPrompt()
    }

    @Test func wideCharactersAndPastes() throws {
        let shell = try Place().shell()
        shell.type("\u{1B}[200~SELECT '東京' AS city;\nSELECT 2 AS two;\u{1B}[201~")
        shell.wait("both statements") { $0.cursorLine == "martlet-> SELECT 2 AS two;" }
        #expect(!shell.screen.text.contains("(1 row)"))
        shell.type(enter)
        shell.wait("two results") { $0.text.components(separatedBy: "(1 row)").count == 3 }
        #expect(shell.screen.text.contains(" 東京\n"))
        shell.waitForPrompt()
        // Behind a wide character the cursor goes two columns back.
        shell.type("'東京'\u{1B}[D\u{1B}[D\u{7F}x")
        shell.wait("the change") { $0.cursorLine == "martlet=> 'x京'" }
    }

    @Test func wideTablesAreCutWithANote() throws {
        let shell = try Place().shell(columns: 50)
        shell.type("SELECT repeat('a', 200) AS long, 7 AS n;" + enter)
        shell.wait(for: "long values are cut")
        #expect(shell.screen.visibleLines.contains { $0.hasSuffix("… │ 7") && $0.count == 49 })
        shell.type("SELECT \((1...30).map { "\($0) AS column\($0)" }.joined(separator: ", "));" + enter)
        shell.wait(for: "of 30 columns shown")
        shell.waitForPrompt()
        shell.type("\\x auto" + enter + "SELECT repeat('b', 60) AS long;" + enter)
        shell.wait(for: "long | bbbbb")
    }

    @Test func longResultsGoThroughThePager() throws {
        let place = try Place()
        let pager = place.path + "/pager"
        try "#!/bin/sh\necho PAGER BEGINS\ncat > '\(place.path)/pages'\necho PAGER ENDS\n".write(
            toFile: pager, atomically: true, encoding: .utf8)
        chmod(pager, 0o755)
        let shell = try place.shell(rows: 10, environment: ["PAGER": pager])
        shell.type("SELECT 1;" + enter)
        shell.wait(for: "(1 row)")
        shell.waitForPrompt()
        #expect(!shell.screen.text.contains("PAGER"))
        shell.type("SELECT g FROM generate_series(1, 5000) AS s(g);" + enter)
        shell.wait(for: "PAGER ENDS")
        shell.waitForPrompt()
        let pages = try String(contentsOfFile: place.path + "/pages", encoding: .utf8)
        #expect(pages.contains("\n 5000\n(5000 rows)\n"))
        // A pager that is left early ends the query.
        try "#!/bin/sh\nhead -n 1 > /dev/null\n".write(toFile: pager, atomically: true, encoding: .utf8)
        shell.type("SELECT g FROM generate_series(1, 100000000000) AS s(g);" + enter)
        shell.wait("a prompt behind it") { screen in
            screen.text.contains("100000000000") && screen.cursorLine == "martlet=>"
        }
        shell.type("\\pset pager off" + enter + "SELECT 'done' AS x;" + enter)
        shell.wait(for: " done")
    }

    @Test func editorOfThePerson() throws {
        let place = try Place()
        let editor = place.path + "/editor"
        try "#!/bin/sh\nsed -i s/one/two/ \"$1\"\n".write(toFile: editor, atomically: true, encoding: .utf8)
        chmod(editor, 0o755)
        let shell = try place.shell(environment: ["EDITOR": editor])
        shell.type("SELECT 'one' AS x" + "\u{18}\u{05}")
        shell.wait("the edited text") { $0.cursorLine == "martlet=> SELECT 'two' AS x" }
        shell.type(";" + enter)
        shell.wait(for: "(1 row)")
    }

    @Test func terminalsWithoutAbilities() throws {
        let place = try Place()
        let dumb = try place.shell(environment: ["TERM": "dumb"])
        dumb.type("SELECT 1\n")
        dumb.wait("a further line") { $0.cursorLine == "martlet->" }
        dumb.type("+ 1 AS two;\n")
        dumb.wait(for: "(1 row)")
        dumb.waitForPrompt()
        dumb.type("\\q\n")
        #expect(dumb.waitForEnd() == 0)
    }

    @Test("a server that goes away, by both protocols", arguments: ["grpc", "postgres"])
    func aServerThatGoesAway(_ service: String) throws {
        let place = try Place()
        var server: ServedProgram? = try ServedProgram()
        let address = try #require(server?.addresses[service])
        let prefix = service == "postgres" ? "postgresql://" : ""
        let shell = try place.shell(["--connect", prefix + address])
        shell.type("SELECT 'over ' || 'there';" + enter)
        shell.wait(for: "over there")
        shell.waitForPrompt()
        shell.type("\\d tiny.region" + enter)
        shell.wait(for: "r_regionkey")
        shell.waitForPrompt()
        shell.type("BEGIN;" + enter)
        shell.waitForPrompt("martlet=*>")
        server = nil
        shell.type("SELECT 1;" + enter)
        shell.wait(for: "There is no connection to the server")
        shell.waitForPrompt("martlet=?>")
        server = try ServedProgram(ports: [service: String(address.split(separator: ":")[1])])
        shell.type("SELECT 'back ' || 'again';" + enter)
        shell.wait(for: "back again")
        shell.waitForPrompt()
        #expect(server != nil)
    }
}
