// The dashboard's files: a bundle that `make dashboard` puts beside the build.

import Diagnostics
import NIOHTTP1

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

struct DashboardFiles: Sendable {
    /// Looked through in this order; the first one with a page counts.
    let directories: [String]

    init(directory: String?) {
        if let directory, !directory.isEmpty {
            directories = [directory]
        } else {
            let program = Self.programDirectory
            // Beside a program that was copied, installed below a prefix, or built here.
            directories = ["dashboard", "../share/martlet/dashboard", "../dashboard", "../../dashboard"].map {
                "\(program)/\($0)"
            }
        }
    }

    private static let types = [
        "html": "text/html; charset=utf-8", "js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8",
        "svg": "image/svg+xml", "json": "application/json", "txt": "text/plain; charset=utf-8",
    ]
    /// The page loads what comes from here, and nothing else.
    private static let policy =
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        + "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

    func answer(_ request: HTTPRequest, _ writer: ResponseWriter) async throws {
        guard request.path.count <= 1 else { throw HTTPFailure.notFound("there is nothing at this path") }
        let name = request.path.first ?? "index.html"
        guard Self.isFileName(name), let type = Self.types[name.split(separator: ".").last.map(String.init) ?? ""]
        else {
            throw HTTPFailure.notFound("there is nothing at this path")
        }
        writer.headers.add(name: "content-security-policy", value: Self.policy)
        writer.headers.add(name: "referrer-policy", value: "no-referrer")
        for directory in directories {
            guard let file = Self.read("\(directory)/\(name)") else { continue }
            writer.headers.add(name: "cache-control", value: "no-cache")
            writer.headers.add(name: "etag", value: file.tag)
            if request.headers[canonicalForm: "if-none-match"].contains(where: { $0 == file.tag }) {
                return try await writer.send(.notModified, type, [])
            }
            return try await writer.send(.ok, type, file.bytes)
        }
        guard name == "index.html" else { throw HTTPFailure.notFound("there is nothing at this path") }
        try await writer.send(.ok, type, Array(missingPage.utf8))
    }

    private var missingPage: String {
        """
        <!doctype html>
        <html lang="en"><head><meta charset="utf-8"><title>Martlet</title>
        <style>body{font:16px/1.5 system-ui,sans-serif;max-width:42rem;margin:3rem auto;padding:0 1rem;color-scheme:light dark}</style>
        </head><body><h1>Martlet</h1>
        <p>The server runs, but its dashboard has not been built. In the repository, <code>make dashboard</code> builds it
        with esbuild, TypeScript and React from Debian's packages; it is served then without a restart.</p>
        <p>A program that was copied finds it in a directory <code>dashboard</code> beside itself, or where
        <code>coordinator.dashboard</code> says.</p>
        <p>The API is there: <a href="/v1/openapi.json">its description</a>, <a href="/v1/workers">workers</a>,
        <a href="/v1/queries">queries</a>, <a href="/metrics">metrics</a>.</p>
        </body></html>
        """
    }

    private static func isFileName(_ name: String) -> Bool {
        !name.isEmpty && name.utf8.count <= 64 && !name.hasPrefix(".")
            && name.utf8.allSatisfy { byte in
                (byte | 0x20 >= UInt8(ascii: "a") && byte | 0x20 <= UInt8(ascii: "z"))
                    || (byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")) || byte == UInt8(ascii: ".")
                    || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
            }
    }

    private static let byteCountMax = 8 << 20

    private static func read(_ path: String) -> (bytes: [UInt8], tag: String)? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size <= byteCountMax else {
            return nil
        }
        var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
        var count = 0
        while count < bytes.count {
            let got = bytes.withUnsafeMutableBytes { buffer in
                #if canImport(Glibc)
                    Glibc.read(descriptor, buffer.baseAddress.map { $0 + count }, buffer.count - count)
                #else
                    Darwin.read(descriptor, buffer.baseAddress.map { $0 + count }, buffer.count - count)
                #endif
            }
            guard got > 0 else { return nil }
            count += got
        }
        // FNV-1a over the content.
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return (bytes, "\"\(String(hash, radix: 16))\"")
    }

    private static var programDirectory: String {
        var path = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &path, path.count - 1)
        guard count > 0 else { return "." }
        let text = String(decoding: path.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return text.lastIndex(of: "/").map { String(text[..<$0]) } ?? "."
    }
}
