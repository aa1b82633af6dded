// The operations of a store, against a server and through faults.

import Columnar
import Diagnostics
import EngineConfiguration
import FileFormats
import Foundation
import Storage
import StorageConformance
import StoreServers
import Testing

@testable import S3Storage

@Suite(.enabled(if: S3Server.program != nil, Comment(rawValue: S3Server.reason)), .serialized)
struct S3StoreTests {
    private func path(_ text: String) throws -> ObjectPath { try #require(ObjectPath(text)) }

    private func bytes(_ file: any ReadableFile, _ ranges: [Range<Int>]) throws -> [[UInt8]] {
        try zip(ranges, file.fetch(ranges)).map { range, fetch in
            let (buffer, position) = try fetch.wait()
            return Array(UnsafeRawBufferPointer(start: buffer.base + position, count: range.count))
        }
    }

    private func write(_ store: S3Store, _ path: ObjectPath, _ bytes: [UInt8], piece: Int = 1_000_000) throws {
        let sink = try store.makeFile(path: path.description)
        var rest = bytes[...]
        while !rest.isEmpty {
            try Array(rest.prefix(piece)).withUnsafeBytes { try sink.append($0) }
            rest = rest.dropFirst(piece)
        }
        try sink.commit()
    }

    @Test func objectsComeAndGo() throws {
        let store = try S3Server.shared().store()
        let root = try path(S3Server.prefix("objects") + "/")
        // Keys with everything that has to be escaped somewhere.
        let keys = ["a b+c%d&e=f.txt", "ä/ü/ß.txt", "quote\"'<>.txt", "x/1", "x/2", "x/y/3", "~-._"]
        for key in keys { #expect(try store.put(root.appending(key), Array(key.utf8), ifAbsent: false) == .stored) }
        for key in keys {
            #expect(try store.get(root.appending(key)) == Array(key.utf8), "\(key)")
            #expect(try store.head(root.appending(key))?.byteCount == key.utf8.count)
        }
        let all = try store.list(root, isDeep: true, limit: nil)
        #expect(all.objects.map(\.path).sorted() == keys.map { root.appending($0).description }.sorted())
        #expect(try all.objects.allSatisfy { try store.head(path($0.path)) == $0 })
        let shallow = try store.list(root, isDeep: false, limit: nil)
        #expect(shallow.directories.map(\.key).sorted() == ["x/", "ä/"].map { root.appending($0).key }.sorted())
        #expect(shallow.objects.count == 3)
        #expect(try store.list(root, isDeep: true, limit: 2).objects.count == 2)
        #expect(try store.get(root.appending("none")) == nil)
        #expect(try store.head(root.appending("none")) == nil)
        // One of many conditional writes wins.
        #expect(try store.put(root.appending("once"), [1], ifAbsent: true) == .stored)
        #expect(try store.put(root.appending("once"), [2], ifAbsent: true) == .exists)
        #expect(try store.get(root.appending("once")) == [1])
        try store.delete(keys.map { root.appending($0) } + [root.appending("none")])
        #expect(try store.list(root, isDeep: true, limit: nil).objects.count == 1)
    }

    @Test func listsHavePages() throws {
        let store = try S3Server.shared().store()
        let root = try path(S3Server.prefix("pages") + "/")
        let transfers = (0..<1203).map { number in
            store.start(.init(method: "PUT", path: root.appending("k\(number)")), body: TransferBody([]))
        }
        for transfer in transfers { #expect(try transfer.wait().isSuccess) }
        #expect(Set(try store.list(root, isDeep: true, limit: nil).objects.map(\.path)).count == 1203)
        #expect(try store.list(root, isDeep: true, limit: 1001).objects.count == 1001)
    }

    @Test func rangesOfOneVersion() throws {
        let store = try S3Server.shared().store(["part-size": "5MiB"])
        let path = try path(S3Server.prefix("ranges"))
        let content = (0..<13_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ ($0 >> 9)) }
        try write(store, path, content)
        let identity = try #require(try store.head(path))
        #expect(identity.byteCount == content.count)
        let file = try store.open(identity)
        let ranges = [
            0..<1, 12_999_999..<13_000_000, 5..<5, 100..<200, 150..<160, 300_000..<9_000_000, 0..<13_000_000,
            5_242_870..<5_242_890,
        ]
        for (range, found) in zip(ranges, try bytes(file, ranges)) { #expect(found.elementsEqual(content[range])) }
        #expect(throws: QueryError.self) { try file.fetch([12_999_999..<13_000_001]) }
        let small = try store.open(identity)
        try write(store, path, Array(content.reversed()))
        // What was planned with is gone: an error, never other bytes.
        #expect(throws: QueryError.self) { try bytes(small, [0..<10]) }
        try store.delete([path])
        #expect(throws: QueryError.self) { try bytes(small, [0..<10]) }
        // An upload that is given up leaves nothing.
        let sink = try store.makeFile(path: path.description)
        try content.withUnsafeBytes { try sink.append($0) }
        #expect(sink.heldByteCount >= 5 << 20)
        sink.abort()
        #expect(try store.head(path) == nil)
    }

    @Test func errorsHaveTypes() async throws {
        let server = try S3Server.shared()
        let prefix = try path(S3Server.prefix("errors"))
        func code(_ values: [String: String], _ body: (S3Store) throws -> Void) async -> String {
            await state { try body(try server.store(values)) }
        }
        #expect(await code(["secret-key": "wrong"]) { _ = try $0.list(prefix, isDeep: true, limit: 1) } == "28000")
        #expect(await code(["access-key": "wrong"]) { _ = try $0.head(prefix) } == "28000")
        #expect(await code(["secret-key": "wrong"]) { _ = try $0.put(prefix, [], ifAbsent: false) } == "28000")
        #expect(await code(["access-key": S3Server.weakAccessKey]) { _ = try $0.get(prefix) } == "42501")
        #expect(await code(["credentials": "none"]) { _ = try $0.get(prefix) } == "42501")
        let nowhere = ObjectPath(bucket: "nowhere", key: "x")
        #expect(await code([:]) { _ = try $0.list(nowhere, isDeep: true, limit: 1) } == "58P01")
        #expect(await code([:]) { _ = try $0.get(nowhere) } == "58P01")
        #expect(await code([:]) { _ = try $0.identity(path: prefix.description) } == "58P01")
        #expect(
            await code(["endpoint": "http://127.0.0.1:1", "attempts": "2"]) { _ = try $0.head(prefix) } == "08006")
        #expect(
            await code(["endpoint": "http://127.0.0.1:1", "attempts": "1"]) { try write($0, prefix, [1]) } == "08007")
        do {
            _ = try server.store(["secret-key": "hidden secret"]).list(prefix, isDeep: true, limit: 1)
        } catch { #expect(!"\(error)".contains("hidden secret")) }
    }

    // MARK: Faults

    @Test func faultsPass() async throws {
        let server = try S3Server.shared()
        let proxy = try FaultProxy(upstream: server.port)
        defer { proxy.stop() }
        let store = try server.store([
            "endpoint": proxy.endpoint, "stall-timeout": "1s", "part-size": "5MiB", "attempts": "12",
        ])
        let content = (0..<11_000_000).map { UInt8(truncatingIfNeeded: $0 &* 131 ^ ($0 >> 11)) }
        let faults: [Fault] = [.busy, .broken, .reset, .stall(1.5), .cut, .lost]
        for (index, fault) in faults.enumerated() {
            let path = try path(S3Server.prefix("faults\(index)"))
            // Every third request, so that repeated ones come through.
            proxy.spoil { _, _, number in number % 3 == 1 ? fault : .none }
            try write(store, path, content)
            let identity = try #require(try store.head(path))
            let found = try bytes(store.open(identity), [0..<content.count, 77..<5_000_000])
            #expect(found[0] == content, "\(fault)")
            #expect(found[1].elementsEqual(content[77..<5_000_000]))
        }
    }

    @Test func faultsThatStayAreErrors() async throws {
        let server = try S3Server.shared()
        let proxy = try FaultProxy(upstream: server.port)
        defer { proxy.stop() }
        let path = try path(S3Server.prefix("lasting"))
        try write(try server.store(), path, Array(repeating: 7, count: 1000))
        let store = try server.store(["endpoint": proxy.endpoint, "stall-timeout": "1s", "attempts": "2"])
        for (fault, code) in [
            (Fault.busy, "53000"), (.broken, "58030"), (.reset, "08006"), (.stall(2), "08006"), (.cut, "08006"),
        ] {
            proxy.spoil { _, _, _ in fault }
            let found = await state { _ = try store.get(path) }
            #expect(found == code, "\(fault)")
        }
    }

    /// A statement that is cancelled does not wait for a server that is silent.
    @Test func cancelEndsRequests() async throws {
        let server = try S3Server.shared()
        let proxy = try FaultProxy(upstream: server.port)
        defer { proxy.stop() }
        proxy.spoil { _, _, _ in .stall(8) }
        let store = try server.store(["endpoint": proxy.endpoint])
        let interruption = Interruption()
        let start = ContinuousClock.now
        DispatchQueue.global().asyncAfter(deadline: .now() + 0.3) {
            interruption.request(QueryError(.queryCanceled, "canceling statement due to user request"))
        }
        let code = await state {
            try Interruption.$current.withValue(interruption) { _ = try store.get(try path(S3Server.prefix("x"))) }
        }
        #expect(code == "57014")
        #expect(ContinuousClock.now - start < .seconds(4))
    }
}
