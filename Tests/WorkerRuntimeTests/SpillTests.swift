// Files of spilled rows: what they hold, and what earlier processes have left.

import Columnar
import Diagnostics
import Foundation
import Testing

@testable import WorkerRuntime

@Suite(.serialized) struct SpillTests {
    private let directory = FileManager.default.temporaryDirectory.appendingPathComponent(
        "martlet-spill-tests-\(UInt64.random(in: .min ... .max))")

    @Test func filesWithNamesAreThoseOfKilledProcesses() throws {
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        for (name, size) in [("martlet-spill-1-2", 1000), ("martlet-spill-3-4", 24), ("other", 7)] {
            try Data(repeating: 1, count: size).write(to: directory.appendingPathComponent(name))
        }
        try FileManager.default.createDirectory(
            at: directory.appendingPathComponent("martlet-spill-folder"), withIntermediateDirectories: true)
        let before = ProcessMeters.reading.orphanedSpillBytes
        #expect(TaskSpill.removeOrphans(in: directory.path) == 1024)
        #expect(ProcessMeters.reading.orphanedSpillBytes - before >= 1024)
        let left = try FileManager.default.contentsOfDirectory(atPath: directory.path)
        #expect(left.sorted() == ["martlet-spill-folder", "other"])
        #expect(TaskSpill.removeOrphans(in: directory.path) == 0)
        // So many entries that the last ones lie at the end of the buffer that they are read into.
        for number in 0..<3000 {
            #expect(FileManager.default.createFile(atPath: directory.path + "/other-\(number)", contents: nil))
        }
        #expect(TaskSpill.removeOrphans(in: directory.path) == 0)
        #expect(TaskSpill.removeOrphans(in: directory.path + "/nothing") == 0)
    }
}
