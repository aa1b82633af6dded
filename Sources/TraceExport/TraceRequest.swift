// One POST after the other to a collector, by libcurl.

import CCurl

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Keeps its connection. Used by one thread only.
final class TraceRequest {
    private let handle: UnsafeMutableRawPointer?
    private let lines: UnsafeMutablePointer<curl_slist>?

    init(_ options: TraceExportOptions) {
        martlet_curl_start()
        handle = curl_easy_init()
        var lines = curl_slist_append(nil, "content-type: application/json")
        for header in options.headers { lines = curl_slist_append(lines, header) }
        // Without waiting for the server's leave to send.
        lines = curl_slist_append(lines, "expect:")
        self.lines = lines
        guard let handle else { return }
        _ = martlet_curl_set_text(handle, CURLOPT_URL, options.endpoint)
        _ = martlet_curl_set_pointer(handle, CURLOPT_HTTPHEADER, lines)
        _ = martlet_curl_set_number(handle, CURLOPT_POST, 1)
        _ = martlet_curl_set_number(handle, CURLOPT_NOSIGNAL, 1)
        let milliseconds =
            options.timeout.components.seconds * 1000 + options.timeout.components.attoseconds / 1_000_000_000_000_000
        _ = martlet_curl_set_number(handle, CURLOPT_TIMEOUT_MS, Int(milliseconds))
        _ = martlet_curl_set_callback(handle, CURLOPT_WRITEFUNCTION) { _, size, count, _ in size * count }
    }

    deinit {
        if let handle { curl_easy_cleanup(handle) }
        curl_slist_free_all(lines)
    }

    /// `nil` if the collector has taken it; otherwise why not.
    func post(_ body: [UInt8]) -> String? {
        guard let handle else { return "libcurl cannot be used" }
        return body.withUnsafeBytes { bytes in
            _ = martlet_curl_set_large(handle, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(bytes.count))
            _ = martlet_curl_set_pointer(handle, CURLOPT_POSTFIELDS, bytes.baseAddress)
            let code = curl_easy_perform(handle)
            guard code == CURLE_OK else { return String(cString: curl_easy_strerror(code)) }
            let status = martlet_curl_status(handle)
            return (200..<300).contains(status) ? nil : "the collector answers with status \(status)"
        }
    }
}
