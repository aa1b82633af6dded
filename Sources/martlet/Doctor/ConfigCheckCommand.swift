// martlet config check: whether a configuration could be used, and where it is at fault.

import ArgumentParser
import EngineConfiguration
import Frontends

struct ConfigCheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Say everything that is wrong with a configuration; status 1 if there is anything.")

    enum Format: String, ExpressibleByArgument, CaseIterable { case text, json }

    @Option(help: "Form of the answer: text or json.")
    var output = Format.text
    @OptionGroup var common: CommonFlags

    func run() throws {
        let problems = ConfigurationCheck.problems(
            file: common.config, environment: ProcessEnvironment.variables, flags: common.flags())
        let text = TextOutput(descriptor: 1)
        switch output {
        case .text:
            for problem in problems {
                text.write("error: \(problem.place.map { "\($0): " } ?? "")\(problem.message)\n")
                if let hint = problem.hint { text.write("  hint: \(hint)\n") }
            }
            if problems.isEmpty { text.write("The configuration can be used.\n") }
        case .json:
            let columns = ["severity", "message", "hint", "key", "place"].map { ResultColumn(name: $0, json: .string) }
            let renderer = OutputFormat.json.makeRenderer(columns, output: text)
            try renderer.append(
                ResultRows(
                    texts: problems.map { problem in
                        ["error", problem.message, problem.hint, problem.key, problem.place].map { text in
                            text.map { Array($0.utf8) }
                        }
                    }))
            try renderer.finish()
        }
        try text.flush()
        if !problems.isEmpty { throw ExitCode.failure }
    }
}
