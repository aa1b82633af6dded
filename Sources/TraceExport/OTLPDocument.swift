// Traces in the form of OTLP: the JSON of an ExportTraceServiceRequest (OpenTelemetry protocol 1, trace service).

import Coordination

enum OTLPDocument {
    /// One request with the spans of several queries.
    static func request(_ traces: [QueryTrace], serviceName: String, version: String) -> [UInt8] {
        var text = "{\"resourceSpans\":[{\"resource\":{\"attributes\":["
        text += attribute("service.name", .text(serviceName)) + ","
        text += attribute("service.version", .text(version))
        text += "]},\"scopeSpans\":[{\"scope\":{\"name\":\"martlet\",\"version\":\(string(version))},\"spans\":["
        var isFirst = true
        for trace in traces {
            for span in trace.spans {
                if !isFirst { text += "," }
                isFirst = false
                write(span, of: trace.context, to: &text)
            }
        }
        text += "]}]}]}"
        return Array(text.utf8)
    }

    private static func write(_ span: TraceSpan, of context: TraceContext, to text: inout String) {
        text += "{\"traceId\":\"\(context.traceID)\",\"spanId\":\"\(span.id)\""
        if let parent = span.parentID { text += ",\"parentSpanId\":\"\(parent)\"" }
        // Kinds: 1 is internal, 2 is a server.
        text += ",\"name\":\(string(span.name)),\"kind\":\(span.isServer ? 2 : 1)"
        text += ",\"startTimeUnixNano\":\"\(nanoseconds(span.startedAt))\""
        text += ",\"endTimeUnixNano\":\"\(nanoseconds(span.endedAt))\""
        text += ",\"attributes\":[\(span.attributes.map { attribute($0.name, $0.value) }.joined(separator: ","))]"
        if !span.events.isEmpty {
            let events = span.events.map { event in
                let attributes = event.attributes.map { attribute($0.name, $0.value) }.joined(separator: ",")
                return "{\"timeUnixNano\":\"\(nanoseconds(event.at))\",\"name\":\(string(event.name))"
                    + ",\"attributes\":[\(attributes)]}"
            }
            text += ",\"events\":[\(events.joined(separator: ","))]"
        }
        // Codes: 0 is unset, 2 is an error.
        if let error = span.error {
            text += ",\"status\":{\"code\":2,\"message\":\(string(error))}}"
        } else {
            text += ",\"status\":{}}"
        }
    }

    private static func nanoseconds(_ microseconds: Int64) -> String { "\(microseconds)000" }

    private static func attribute(_ name: String, _ value: TraceSpan.Value) -> String {
        let text =
            switch value {
            case .text(let value): "\"stringValue\":\(string(value))"
            // Numbers of 64 bits are strings in the JSON of protocol buffers.
            case .integer(let value): "\"intValue\":\"\(value)\""
            case .boolean(let value): "\"boolValue\":\(value)"
            }
        return "{\"key\":\(string(name)),\"value\":{\(text)}}"
    }

    /// A string of JSON.
    static func string(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            default:
                if scalar.value < 0x20 {
                    let digits = String(scalar.value, radix: 16)
                    result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
                } else {
                    result.unicodeScalars.append(scalar)
                }
            }
        }
        return result + "\""
    }
}
