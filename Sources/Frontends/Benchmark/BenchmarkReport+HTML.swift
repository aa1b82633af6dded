// Reports as one page of HTML with charts; nothing in it is fetched from elsewhere.

extension BenchmarkReport {
    /// Bars of the medians with the 99th percentile below them, a line of the throughput, and the table.
    package var html: String {
        HTMLPage.page(
            title: "\(benchmark) on \(target)",
            body: """
                <p>\(HTMLPage.escaped(startedAt)) · \(settings.map { HTMLPage.escaped("\($0.name) \($0.value)") }.joined(separator: " · "))</p>
                \(HTMLPage.bars(entries.map { ($0.name, [("p50", $0.median), ("p99", $0.percentile99)]) }, unit: "ms"))
                \(throughput.count > 1 ? HTMLPage.line(throughput, title: "Statements a second") : "")
                <pre>\(HTMLPage.escaped(table))</pre>
                """)
    }
}

extension BenchmarkComparison {
    package var html: String {
        HTMLPage.page(
            title: "\(before.benchmark): before and after",
            body: HTMLPage.bars(
                pairs.map { ($0.name, [("before", $0.before.median), ("after", $0.after.median)]) }, unit: "ms")
                + "\n<pre>\(HTMLPage.escaped(table))</pre>")
    }
}

/// Pieces of pages.
enum HTMLPage {
    static func escaped(_ text: String) -> String {
        var result = ""
        for character in text {
            switch character {
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "&": result += "&amp;"
            case "\"": result += "&quot;"
            default: result.append(character)
            }
        }
        return result
    }

    static func page(title: String, body: String) -> String {
        """
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width">
        <title>\(escaped(title))</title>
        <style>
          :root { color-scheme: light dark; --ink: #1d2733; --paper: #fbfbfa; --first: #2c6fb3; --second: #9db9d6; }
          @media (prefers-color-scheme: dark) { :root { --ink: #e4e9ee; --paper: #14181d; --first: #6aa9e6; --second: #31465c; } }
          body { margin: 2rem auto; max-width: 60rem; padding: 0 1rem; font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); }
          h1 { font-weight: 600; font-size: 1.4rem; }
          svg { width: 100%; height: auto; } text { fill: var(--ink); font: 12px system-ui, sans-serif; }
          pre { overflow-x: auto; font-size: 13px; }
        </style>
        </head>
        <body>
        <h1>\(escaped(title))</h1>
        \(body)
        </body>
        </html>

        """
    }

    /// Horizontal bars, those of a group below each other, and what their colours mean.
    static func bars(_ groups: [(name: String, values: [(label: String, value: Double)])], unit: String) -> String {
        guard let largest = groups.flatMap({ $0.values.map(\.value) }).max(), largest > 0 else { return "" }
        let barHeight = 9
        let rowHeight = barHeight * (groups.map(\.values.count).max() ?? 1) + 8
        let legendHeight = 26
        let left = 160.0
        let room = 620.0
        func colour(_ order: Int) -> String { order == 0 ? "var(--first)" : "var(--second)" }
        var shapes = ""
        for (order, value) in (groups.first?.values ?? []).enumerated() {
            let start = Int(left) + order * 110
            shapes += """
                <rect x="\(start)" y="5" width="10" height="10" rx="2" fill="\(colour(order))"/>\
                <text x="\(start + 16)" y="14">\(escaped(value.label))</text>

                """
        }
        for (index, group) in groups.enumerated() {
            let top = legendHeight + index * rowHeight
            let middle = top + rowHeight / 2 + 4
            let label = escaped(String(group.name.prefix(24)))
            shapes += "<text x=\"\(Int(left) - 8)\" y=\"\(middle)\" text-anchor=\"end\">\(label)</text>\n"
            for (order, value) in group.values.enumerated() {
                let width = DecimalText.fixed(max(1, value.value / largest * room), digits: 1)
                shapes += """
                    <rect x="\(Int(left))" y="\(top + 4 + order * barHeight)" width="\(width)" height="\(barHeight - 1)" rx="2" \
                    fill="\(colour(order))">\
                    <title>\(escaped(group.name)), \(value.label): \(DecimalText.milliseconds(value.value)) \(unit)</title></rect>

                    """
            }
            let shown = group.values.map { DecimalText.milliseconds($0.value) }.joined(separator: ", ")
            let end = DecimalText.fixed(left + (group.values.map(\.value).max() ?? 0) / largest * room + 6, digits: 1)
            shapes += "<text x=\"\(end)\" y=\"\(middle)\">\(shown)</text>\n"
        }
        return """
            <svg viewBox="0 0 1000 \(legendHeight + groups.count * rowHeight + 4)" role="img" aria-label="Times in milliseconds">
            \(shapes)</svg>
            """
    }

    static func line(_ values: [Double], title: String) -> String {
        let largest = max(values.max() ?? 1, 1)
        let step = 900.0 / Double(max(1, values.count - 1))
        let points = values.enumerated().map { index, value in
            DecimalText.fixed(60 + Double(index) * step, digits: 1) + ","
                + DecimalText.fixed(170 - value / largest * 140, digits: 1)
        }
        return """
            <svg viewBox="0 0 1000 200" role="img" aria-label="\(escaped(title))">
            <text x="60" y="18">\(escaped(title)), at most \(DecimalText.fixed(largest, digits: 0))</text>
            <polyline points="\(points.joined(separator: " "))" fill="none" stroke="var(--first)" stroke-width="2"/>
            <line x1="60" y1="170" x2="960" y2="170" stroke="currentColor" stroke-opacity=".3"/>
            <text x="60" y="190">0 s</text><text x="960" y="190" text-anchor="end">\(values.count) s</text>
            </svg>
            """
    }
}
