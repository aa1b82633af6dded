// Settings within a startup message.

/// The `options` of a startup message: `-c name=value` and `--name=value`, blanks escaped by a backslash.
enum StartupOptions {
    static func parse(_ text: String) -> [StartupParameter] {
        var words: [String] = [""]
        var isEscaped = false
        for character in text {
            if isEscaped {
                words[words.count - 1].append(character)
                isEscaped = false
            } else if character == "\\" {
                isEscaped = true
            } else if character.isWhitespace {
                words.append("")
            } else {
                words[words.count - 1].append(character)
            }
        }
        var result: [StartupParameter] = []
        var expectsSetting = false
        for word in words where !word.isEmpty {
            var setting = Substring(word)
            if expectsSetting {
                expectsSetting = false
            } else if word == "-c" {
                expectsSetting = true
                continue
            } else if word.hasPrefix("--") || word.hasPrefix("-c") {
                setting = word.dropFirst(2)
            } else {
                continue
            }
            guard let equals = setting.firstIndex(of: "=") else { continue }
            let name = setting[..<equals].map { $0 == "-" ? "_" : $0 }
            result.append(StartupParameter(name: String(name), value: String(setting[setting.index(after: equals)...])))
        }
        return result
    }
}
