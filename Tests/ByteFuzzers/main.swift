// ByteFuzzers: random bytes for everything that reads bytes from outside. Not part of `make test`: `make fuzz-bytes`.
//
//   ByteFuzzers TARGET --seconds N [--seed S] [--from ITERATION]
//
// TARGET is parser, csv, json, parquet, frames or plans; the corpus is Fixtures. Whatever the bytes, a reader gives a value or a
// QueryError. A crash leaves the input in last-input-TARGET of the working directory, and seed and iteration repeat it; an
// input that takes longer than ten seconds ends the run. Built with the address sanitizer by make.
//
//   main             the loop: choose, change, try
//   Mutation         how inputs change
//   FuzzTargets      what is done with an input

import Foundation
import Synchronization

private func option(_ name: String) -> String? {
    guard let index = CommandLine.arguments.firstIndex(of: name), index + 1 < CommandLine.arguments.count else {
        return nil
    }
    return CommandLine.arguments[index + 1]
}

guard CommandLine.arguments.count > 1, let target = FuzzTarget(rawValue: CommandLine.arguments[1]) else {
    report("usage: ByteFuzzers \(FuzzTarget.allCases.map(\.rawValue).joined(separator: "|")) --seconds N [--seed S]")
    exit(2)
}
let seconds = option("--seconds").flatMap { Double($0) } ?? 60
let seed = option("--seed").flatMap { UInt64($0) } ?? UInt64.random(in: 0...UInt64.max)
let first = option("--from").flatMap { UInt64($0) } ?? 0
let corpus = try target.corpus()
let lastInput = LastInput(path: "last-input-\(target.rawValue)")
report("\(target): \(corpus.count) inputs, seed \(seed)")

let clock = ContinuousClock()
let start = clock.now
/// The iteration that runs and when it began; the watchdog looks at them.
let progress = Mutex((iteration: UInt64(0), began: clock.now))
Thread.detachNewThread {
    while true {
        sleep(1)
        let (iteration, began) = progress.withLock { $0 }
        if clock.now - began > .seconds(10) {
            report("HANG: \(target) --seed \(seed) --from \(iteration)")
            exit(3)
        }
    }
}

var iteration = first
var accepted = 0
while clock.now - start < .seconds(seconds) {
    // Every iteration has its own generator, so that one can be repeated alone.
    var mutation = Mutation(seed: seed &+ iteration &* 0x9E37_79B9_7F4A_7C15)
    let input = mutation.changed(corpus, isText: target.isText)
    lastInput.keep(input)
    progress.withLock { $0 = (iteration, clock.now) }
    if try await target.accepts(input, &mutation) { accepted += 1 }
    iteration += 1
}
report("\(target): \(iteration - first) inputs, \(accepted) accepted, no crash")
