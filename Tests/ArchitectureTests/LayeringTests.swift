// Who imports whom: the sources and the manifest against the table of docs/layering.md.

import TestSupport
import Testing

@Suite("Layering")
struct LayeringTests {
    /// Modules of the platform that any target may import.
    private static let platform: Set<String> = ["Glibc", "Darwin", "Musl", "Synchronization"]

    private let table: LayeringTable
    /// Targets with Swift sources, by the directory that holds them.
    private let directories: [String: String]

    init() throws {
        table = try LayeringTable.load()
        var directories: [String: String] = [:]
        for parent in ["Sources", "Plugins"] {
            for name in try Repository.directories(in: parent)
            where !Repository.files(under: "\(parent)/\(name)", suffix: ".swift").isEmpty {
                directories[name] = "\(parent)/\(name)"
            }
        }
        self.directories = directories
    }

    @Test("every target has a row, and every row a target")
    func rowsAndTargets() throws {
        #expect(table.targets.count == table.rows.count, "a target has two rows")
        #expect(table.targets.symmetricDifference(directories.keys).sorted() == [])
        let declared = try Manifest.dependencies()
        #expect(table.targets.symmetricDifference(declared.keys).sorted() == [])
    }

    @Test("every import is in its target's row")
    func imports() throws {
        for (target, directory) in directories.sorted(by: { $0.key < $1.key }) {
            guard let row = table[target] else { continue }
            let allowed = row.all.union(Self.platform)
            for file in Repository.files(under: directory, suffix: ".swift") {
                for found in SourceImport.all(in: try Repository.text(file)) where !allowed.contains(found.module) {
                    Issue.record("\(file):\(found.line): \(target) may not import \(found.module) (docs/layering.md)")
                }
            }
        }
    }

    @Test("the manifest allows what the table allows")
    func manifest() throws {
        for (target, declared) in try Manifest.dependencies() {
            guard let row = table[target] else { continue }
            let surplus = declared.subtracting(row.all).sorted()
            #expect(surplus == [], "Package.swift: \(target) depends on what its row does not allow")
            let missing = row.own.subtracting(declared).sorted()
            #expect(missing == [], "docs/layering.md: \(target) may import what Package.swift does not declare")
        }
    }

    @Test("imports point downwards: no cycle, and only rows above")
    func order() {
        var above: Set<String> = []
        for row in table.rows {
            let unknown = row.own.subtracting(above).sorted()
            #expect(unknown == [], "\(row.target) may import targets whose rows do not stand above its own")
            above.insert(row.target)
        }
    }

    @Test("only LinkedPlugins.swift names plug-ins")
    func plugins() throws {
        let plugins = Set(try Repository.directories(in: "Plugins"))
        for directory in directories.values {
            for file in Repository.files(under: directory, suffix: ".swift")
            where file != "Sources/martlet/LinkedPlugins.swift" {
                for found in SourceImport.all(in: try Repository.text(file)) where plugins.contains(found.module) {
                    Issue.record("\(file):\(found.line): imports the plug-in \(found.module)")
                }
            }
        }
    }

    @Test("imports are recognised in all their forms")
    func recognition() {
        let text = """
            import A
            @testable import B
            package import struct C.D
            @preconcurrency internal import E
            // import F
            let x = "import G"
            #if canImport(H)
                import H
            #endif
            """
        #expect(SourceImport.all(in: text).map(\.module) == ["A", "B", "C", "E", "H"])
    }
}
