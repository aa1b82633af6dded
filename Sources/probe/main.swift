// Probe
import EngineTestSupport
import Diagnostics
import Foundation
let args = CommandLine.arguments
let workers = Int(args[1])!, threads = Int(args[2])!
let engine = try await TestEngine.start(workers: workers, threads: threads, memoryByteLimit: 16 << 30, dataDirectory: args[3] == "-" ? nil : args[3])
for sql in args.dropFirst(4) {
    var text = sql
    if sql.hasPrefix("@") { text = try! String(contentsOfFile: String(sql.dropFirst()), encoding: .utf8) }
    do {
        let start = ContinuousClock.now
        let rows = try await engine.query(text)
        let time = ContinuousClock.now - start
        for row in rows { print(row.map { $0 ?? "NULL" }.joined(separator: "|")) }
        print("-- \(rows.count) rows, \(time)")
    } catch { print("\(QueryError.wrapping(error))") }
}
await engine.shutdown()
