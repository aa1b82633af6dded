// The table of routes as an OpenAPI 3.1 document.

import Coordination
import Diagnostics

enum OpenAPI {
    static func document(_ routes: [Route]) -> [UInt8] {
        JSONWriter.document { writer in
            writer.member("openapi", "3.1.0")
            writer.object("info") { writer in
                writer.member("title", "Martlet")
                writer.member("version", EngineVersion.version)
                writer.member("summary", "Statements, and what the cluster does.")
            }
            writer.object("paths") { writer in
                var paths: [String] = []
                for route in routes where !paths.contains(route.path) { paths.append(route.path) }
                for path in paths {
                    writer.object(path) { writer in
                        for route in routes where route.path == path { write(route, &writer) }
                    }
                }
            }
            writer.object("components") { writer in
                writer.object("schemas") { writer in
                    for (name, schema) in OpenAPISchemas.all {
                        writer.key(name)
                        writer.raw(schema)
                    }
                }
            }
        }
    }

    private static func write(_ route: Route, _ writer: inout JSONWriter) {
        writer.object(route.method.rawValue.lowercased()) { writer in
            writer.member("summary", route.summary)
            writer.array("parameters", route.parameters) { writer, parameter in
                let isVariable = route.path.contains("{\(parameter.name)}")
                writer.object { writer in
                    writer.member("name", parameter.name)
                    writer.member("in", isVariable ? "path" : "query")
                    writer.member("required", isVariable)
                    writer.member("description", parameter.text)
                    writer.key("schema")
                    writer.raw(parameter.schema)
                }
            }
            if !route.body.isEmpty {
                writer.object("requestBody") { writer in
                    writer.member("required", true)
                    write(content: route.body, &writer)
                }
            }
            writer.object("responses") { writer in
                for response in route.responses {
                    writer.object(String(response.status)) { writer in
                        writer.member("description", response.text)
                        write(content: response.content, &writer)
                    }
                }
            }
        }
    }

    private static func write(content: [(type: String, schema: String?)], _ writer: inout JSONWriter) {
        guard !content.isEmpty else { return }
        writer.object("content") { writer in
            for (type, schema) in content {
                writer.object(type) { writer in
                    writer.key("schema")
                    writer.raw(schema.map { "{\"$ref\":\"#/components/schemas/\($0)\"}" } ?? "{\"type\":\"string\"}")
                }
            }
        }
    }
}
