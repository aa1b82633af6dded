// Functions that read a file: read_parquet('path') in FROM is the file itself.

extension FunctionCall {
    /// Endings of the files that a function reads.
    private static let endings: [String: [String]] = [
        "read_parquet": ["parquet"], "read_csv": ["csv", "tsv", "tbl"], "read_json": ["json", "jsonl", "ndjson"],
        "read_arrow": ["arrow"],
    ]

    /// The path in a call of a plain name with one string; `nil` for all other calls. A path whose ending tells another
    /// format than the function's name is none.
    var filePath: String? {
        guard name.parts.count == 1, let endings = Self.endings[name.parts[0]], arguments.count == 1, syntax == .plain,
            !isStar, !isDistinct, orderBy.isEmpty, withinGroup.isEmpty, filter == nil, arguments[0].name == nil,
            case .literal(.string(let path)) = arguments[0].value.kind
        else { return nil }
        var file = path[(path.lastIndex(of: "/").map { path.index(after: $0) } ?? path.startIndex)...].lowercased()
        if file.hasSuffix(".gz") { file.removeLast(3) }
        guard let dot = file.lastIndex(of: ".") else { return path }
        let ending = String(file[file.index(after: dot)...])
        return ending.isEmpty || ending.contains("*") || endings.contains(ending) ? path : nil
    }
}
