// Question marks as parameters: drivers of Flight SQL write them, and PostgreSQL's dialect has numbers.

import Frontends

enum ParameterMarkers {
    /// The statement with `$1`, `$2`, … where it has question marks, and with `?` where it has two of them, as JDBC's drivers
    /// write operators with question marks. `nil` if there is no question mark outside of texts, names and comments.
    static func numbered(_ sql: String) -> String? {
        let characters = Array(sql)
        let marks = SQLToken.tokens(characters).filter { $0.kind == .symbol && $0.text(characters) == "?" }
        guard !marks.isEmpty else { return nil }
        var result = ""
        var at = 0
        var count = 0
        var index = 0
        while index < marks.count {
            let place = marks[index].range.lowerBound
            result += String(characters[at..<place])
            at = place + 1
            if index + 1 < marks.count, marks[index + 1].range.lowerBound == at {
                result += "?"
                at += 1
                index += 2
            } else {
                count += 1
                result += "$\(count)"
                index += 1
            }
        }
        return result + String(characters[at...])
    }
}
