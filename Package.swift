// swift-tools-version: 6.1
// The manifest: every target of Martlet, grouped by layer from the bottom up. docs/layering.md holds the table of
// allowed imports; ArchitectureTests compares that table with the sources.
//
// Environment switches (all optional):
//   MARTLET_ISA=baseline      build for any x86-64 processor instead of x86-64-v3 (AVX2)
//   MARTLET_OPTIMIZE=0        leave our own targets unoptimised in a debug build (for a debugger)
//   MARTLET_FUZZ=1            add the byte fuzzers
//   MARTLET_ENGINE_ONLY=1     leave out the network stack and everything that needs it: a quick build of the engine

import PackageDescription

let baselineISA = Context.environment["MARTLET_ISA"] == "baseline"
let optimizeDebug = Context.environment["MARTLET_OPTIMIZE"] != "0"
let engineOnly = Context.environment["MARTLET_ENGINE_ONLY"] == "1"

#if arch(x86_64)
    let isa = baselineISA ? [] : ["-Xcc", "-march=x86-64-v3"]
    let cISA = [baselineISA ? "-msse4.2" : "-march=x86-64-v3"]
#else
    let isa: [String] = []
    let cISA: [String] = []
#endif

/// Settings of every Swift target of ours. A debug build optimises our own targets and leaves the dependencies
/// unoptimised, so one debug build serves the tests and the first run (docs/decisions/0002-one-build.md).
let swiftSettings: [SwiftSetting] =
    [
        .swiftLanguageMode(.v6),
        .enableUpcomingFeature("ExistentialAny"),
        .unsafeFlags(isa + ["-enforce-exclusivity=unchecked"]),
    ] + (optimizeDebug ? [.unsafeFlags(["-O", "-wmo", "-num-threads", "2"], .when(configuration: .debug))] : [])

func library(
    _ name: String, _ dependencies: [Target.Dependency], path: String? = nil, exclude: [String] = []
) -> Target {
    .target(name: name, dependencies: dependencies, path: path, exclude: exclude, swiftSettings: swiftSettings)
}
func plugin(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
    library(name, dependencies, path: "Plugins/\(name)", exclude: exclude)
}
func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies, path: "Tests/\(name)", swiftSettings: swiftSettings)
}
func testLibrary(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    library(name, dependencies, path: "Tests/\(name)")
}
func system(_ name: String, _ pkgConfig: String, _ apt: String) -> Target {
    .systemLibrary(name: name, path: "Sources/SystemLibraries/\(name)", pkgConfig: pkgConfig, providers: [.apt([apt])])
}

let log: Target.Dependency = .product(name: "Logging", package: "swift-log")
let nioCore: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")

var targets: [Target] = [
    // C: intrinsics that Swift cannot express, and system libraries.
    .target(
        name: "CKernels", path: "Sources/CKernels",
        cSettings: [.unsafeFlags(["-O3"] + cISA)]),
    system("CZlib", "zlib", "zlib1g-dev"),
    system("CSnappy", "snappy", "libsnappy-dev"),
    system("CZstd", "libzstd", "libzstd-dev"),
    system("CLZ4", "liblz4", "liblz4-dev"),
    system("CBrotli", "libbrotlidec", "libbrotli-dev"),
    system("CXXHash", "libxxhash", "libxxhash-dev"),
    system("CPCRE2", "libpcre2-8", "libpcre2-dev"),
    system("CLibPQ", "libpq", "libpq-dev"),
    system("CSQLite", "sqlite3", "libsqlite3-dev"),
    system("CCurl", "libcurl", "libcurl4-openssl-dev"),
    system("CCrypto", "libcrypto", "libssl-dev"),
    system("CSSL", "libssl", "libssl-dev"),

    // Foundations.
    library("Diagnostics", []),
    library("Columnar", ["Diagnostics", "CKernels"]),
    library("SQLParser", ["Diagnostics"]),
    library("StateStore", ["Diagnostics"]),
    library("ClusterMembership", ["Diagnostics"]),
    library("QueryPlan", ["Columnar", "Diagnostics"]),
    library("SQLFunctions", ["Columnar", "QueryPlan", "Diagnostics", "CKernels", "CPCRE2"]),

    library("TPCHData", ["Columnar", "Diagnostics"]),

    // Planning.
    library("PlanStatistics", ["QueryPlan", "Storage", "Columnar", "Diagnostics"]),
    library(
        "LogicalPlanner",
        ["SQLParser", "QueryPlan", "PlanStatistics", "SQLFunctions", "Storage", "Columnar", "Diagnostics"]),
    library("PhysicalPlanner", ["QueryPlan", "PlanStatistics", "SQLFunctions", "Storage", "Columnar", "Diagnostics"]),

    // Storage and execution.
    library("EngineConfiguration", ["Diagnostics", log]),
    library("Storage", ["Columnar", "QueryPlan", "EngineConfiguration", "Diagnostics"]),
    library("Transport", ["ClusterMembership", "Columnar", "EngineConfiguration", "Diagnostics"]),
    library(
        "WireCodec",
        ["QueryPlan", "Columnar", "Storage", "Transport", "Diagnostics", "CZlib", "CLZ4", "CZstd", "CXXHash"]),
    library(
        "PhysicalOps",
        ["QueryPlan", "SQLFunctions", "Columnar", "Storage", "Transport", "Diagnostics", "CKernels"]),
    library(
        "FileFormats",
        ["Storage", "QueryPlan", "Columnar", "Diagnostics", "CKernels", "CZlib", "CSnappy", "CZstd", "CLZ4", "CBrotli"]
    ),
    library(
        "PluginHost", ["Storage", "Transport", "SQLFunctions", "StateStore", "EngineConfiguration", "Diagnostics"]),

    // Plug-ins that need no network stack.
    plugin(
        "MemoryStorage", ["Storage", "QueryPlan", "Columnar", "Diagnostics", "EngineConfiguration", "PluginHost"]),
    plugin(
        "LocalFileStorage",
        ["FileFormats", "Storage", "QueryPlan", "Columnar", "Diagnostics", "EngineConfiguration", "PluginHost"]),
    plugin(
        "TPCHStorage",
        ["TPCHData", "Storage", "QueryPlan", "Columnar", "Diagnostics", "EngineConfiguration", "PluginHost"]),
    plugin(
        "PostgresStorage",
        [
            "Storage", "QueryPlan", "Columnar", "Diagnostics", "EngineConfiguration", "PluginHost", "StateStore",
            "CLibPQ",
        ]),
    plugin(
        "SQLiteStorage",
        [
            "Storage", "QueryPlan", "Columnar", "Diagnostics", "EngineConfiguration", "PluginHost", "StateStore",
            "CSQLite",
        ]),
    plugin(
        "S3Storage",
        [
            "FileFormats", "Storage", "QueryPlan", "Columnar", "Diagnostics", "EngineConfiguration", "PluginHost",
            "CCurl", "CCrypto",
        ]),
    plugin("InProcessTransport", ["Transport", "Columnar", "Diagnostics", "EngineConfiguration", "PluginHost"]),
    plugin("StaticDiscovery", ["Transport", "Diagnostics", "PluginHost"]),
    plugin("DNSDiscovery", ["Transport", "Diagnostics", "PluginHost"]),

    // Coordination and workers.
    library("SystemCatalog", ["Storage", "SQLFunctions", "QueryPlan", "Columnar", "Diagnostics"]),
    library(
        "Coordination",
        [
            "StateStore", "SystemCatalog", "LogicalPlanner", "PhysicalPlanner", "PlanStatistics", "SQLParser",
            "QueryPlan",
            "SQLFunctions",
            "WireCodec",
            "ClusterMembership", "Storage", "Transport", "PluginHost", "EngineConfiguration", "Columnar",
            "Diagnostics", log,
        ]),
    library(
        "WorkerRuntime",
        [
            "PhysicalOps", "QueryPlan", "SQLFunctions", "WireCodec", "ClusterMembership", "Storage", "Transport",
            "PluginHost", "EngineConfiguration", "Columnar", "Diagnostics", log,
        ]),
    library(
        "EmbeddedCluster",
        [
            "Coordination", "WorkerRuntime", "PluginHost", "ClusterMembership", "WireCodec", "SQLFunctions",
            "QueryPlan",
            "Storage", "Transport", "EngineConfiguration", "Columnar", "Diagnostics", log,
        ]),

    // What people and clients meet.
    library(
        "Frontends",
        ["Coordination", "EngineConfiguration", "FileFormats", "Storage", "Columnar", "Diagnostics", "CSSL", log]),

    // Traces for a collector.
    library("TraceExport", ["Coordination", "EngineConfiguration", "Diagnostics", "CCurl", log]),
    tests("TraceExportTests", ["TraceExport", "Coordination", "Transport", "Diagnostics", log]),

    // Tests and what they share.
    testLibrary("TestSupport", []),
    testLibrary(
        "EngineTestSupport",
        [
            "EmbeddedCluster", "Coordination", "PluginHost", "MemoryStorage", "LocalFileStorage", "TPCHStorage",
            "InProcessTransport", "StaticDiscovery", "Columnar", "QueryPlan", "Diagnostics", log,
        ]),
    // Stores that tests start for themselves.
    testLibrary(
        "StoreServers",
        [
            "EngineTestSupport", "PluginHost", "PostgresStorage", "SQLiteStorage", "S3Storage", "FileFormats",
            "Storage", "EngineConfiguration", "Diagnostics", "CSQLite",
        ]),
    tests(
        "SQLScriptTests",
        [
            "EngineTestSupport", "StoreServers", "TestSupport", "Frontends", "Coordination", "EmbeddedCluster",
            "Columnar", "Diagnostics",
        ]),
    tests("FederationTests", ["EngineTestSupport", "StoreServers", "Diagnostics"]),
    tests("PerformanceTests", ["EngineTestSupport", "Diagnostics"]),
    tests(
        "CoordinationTests",
        [
            "Coordination", "SQLParser", "Storage", "ClusterMembership", "Transport", "Columnar", "Diagnostics",
        ]),
    tests(
        "ClusterSimulationTests",
        ["Coordination", "WorkerRuntime", "ClusterMembership", "Transport", "Diagnostics"]),
    tests(
        "WorkerRuntimeTests",
        ["WorkerRuntime", "PhysicalOps", "ClusterMembership", "Transport", "Columnar", "TestSupport", "Diagnostics"]),
    tests("ArchitectureTests", ["TestSupport"]),
    testLibrary("TransportConformance", ["Transport", "ClusterMembership", "Columnar", "Diagnostics"]),
    tests(
        "WireCodecTests",
        ["WireCodec", "QueryPlan", "Storage", "Transport", "Columnar", "Diagnostics", "TransportConformance"]),
    tests(
        "DiscoveryTests", ["StaticDiscovery", "DNSDiscovery", "Transport", "PluginHost", "Diagnostics"]),
    tests("InProcessTransportTests", ["InProcessTransport", "TransportConformance", "Transport", "Diagnostics"]),
    tests("ClusterMembershipTests", ["ClusterMembership", "Diagnostics"]),
    tests("DiagnosticsTests", ["Diagnostics", "TestSupport"]),
    tests("EngineConfigurationTests", ["EngineConfiguration", "Diagnostics"]),
    tests("FrontendsTests", ["Frontends", "Columnar", "Diagnostics", "TestSupport"]),
    tests(
        "FileFormatsTests",
        ["FileFormats", "Storage", "QueryPlan", "Columnar", "Diagnostics", "TestSupport"]),
    testLibrary("StateStoreConformance", ["StateStore", "Diagnostics"]),
    testLibrary("StorageConformance", ["Storage", "QueryPlan", "Columnar", "Diagnostics"]),
    tests(
        "LocalFileStorageTests",
        [
            "LocalFileStorage", "StorageConformance", "Storage", "QueryPlan", "Columnar", "Diagnostics",
            "EngineConfiguration", "PluginHost",
        ]),
    tests(
        "MemoryStorageTests",
        [
            "MemoryStorage", "StorageConformance", "Storage", "QueryPlan", "Columnar", "Diagnostics",
            "EngineConfiguration", "PluginHost",
        ]),
    tests(
        "PostgresStorageTests",
        [
            "PostgresStorage", "StateStore", "StateStoreConformance", "StorageConformance", "StoreServers",
            "EngineTestSupport", "EmbeddedCluster", "Storage", "QueryPlan", "Columnar", "Diagnostics",
            "EngineConfiguration",
        ]),
    tests(
        "SQLiteStorageTests",
        [
            "SQLiteStorage", "CSQLite", "StateStore", "StateStoreConformance", "StorageConformance",
            "StoreServers", "EngineTestSupport", "EmbeddedCluster", "PluginHost", "Storage", "QueryPlan", "Columnar",
            "Diagnostics", "EngineConfiguration",
        ]),
    tests(
        "S3StorageTests",
        [
            "S3Storage", "StorageConformance", "StoreServers", "EngineTestSupport", "FileFormats", "Storage",
            "QueryPlan", "Columnar", "Diagnostics", "EngineConfiguration",
        ]),
    tests(
        "TPCHStorageTests",
        ["TPCHStorage", "TPCHData", "Storage", "QueryPlan", "Columnar", "EngineConfiguration", "Diagnostics"]),
    tests(
        "PhysicalPlannerTests",
        [
            "PhysicalPlanner", "LogicalPlanner", "PlanStatistics", "SQLParser", "SQLFunctions", "QueryPlan", "Storage",
            "TPCHStorage", "Columnar", "Diagnostics",
        ]),
    tests(
        "SQLFunctionsTests",
        ["SQLFunctions", "LogicalPlanner", "SQLParser", "QueryPlan", "Storage", "Columnar", "Diagnostics"]),
    tests("SQLParserTests", ["SQLParser", "Diagnostics"]),
    tests(
        "LogicalPlannerTests",
        ["LogicalPlanner", "SQLParser", "SQLFunctions", "QueryPlan", "Storage", "Columnar", "Diagnostics"]),
    tests(
        "PhysicalOpsTests",
        ["PhysicalOps", "QueryPlan", "SQLFunctions", "Columnar", "Storage", "Transport", "Diagnostics"]),
    tests("ColumnarTests", ["Columnar", "Diagnostics", "TestSupport"]),
]

// Measurements; not built with the rest.
if Context.environment["MARTLET_BENCHMARKS"] == "1" {
    targets.append(
        .executableTarget(
            name: "OperatorBenchmarks",
            dependencies: [
                "PhysicalOps", "QueryPlan", "SQLFunctions", "Columnar", "Storage", "Transport", "Diagnostics",
            ],
            path: "Tests/OperatorBenchmarks", swiftSettings: swiftSettings))
}

// Byte fuzzers; not built with the rest (`make fuzz-bytes`).
if Context.environment["MARTLET_FUZZ"] == "1" {
    targets.append(
        .executableTarget(
            name: "ByteFuzzers",
            dependencies: [
                "SQLParser", "FileFormats", "WireCodec", "QueryPlan", "Columnar", "Storage", "Transport", "Diagnostics",
            ],
            path: "Tests/ByteFuzzers", swiftSettings: swiftSettings))
}

var dependencies: [Package.Dependency] = [
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
]
/// What the program links in every build.
var programDependencies: [Target.Dependency] = [
    "Frontends", "TraceExport", "EmbeddedCluster", "Coordination", "PluginHost", "EngineConfiguration", "TPCHData",
    "Diagnostics",
    "MemoryStorage", "LocalFileStorage", "TPCHStorage", "PostgresStorage", "SQLiteStorage", "S3Storage",
    "InProcessTransport", "StaticDiscovery", "DNSDiscovery", log,
    .product(name: "ArgumentParser", package: "swift-argument-parser"),
]
var programSettings = swiftSettings
let products: [Product] = []

if !engineOnly {
    dependencies += [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl.git", from: "2.37.0"),
        .package(url: "https://github.com/apple/swift-crypto.git", from: "4.5.0"),
        .package(url: "https://github.com/apple/swift-certificates.git", from: "1.21.1"),
        .package(url: "https://github.com/apple/swift-asn1.git", from: "1.0.0"),
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
        .package(url: "https://github.com/grpc/grpc-swift-2", from: "2.4.3"),
        .package(url: "https://github.com/grpc/grpc-swift-nio-transport", from: "2.9.2"),
        .package(url: "https://github.com/grpc/grpc-swift-protobuf", from: "2.4.1"),
    ]
    let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
    let nioSSL: Target.Dependency = .product(name: "NIOSSL", package: "swift-nio-ssl")
    let grpc: [Target.Dependency] = [
        .product(name: "GRPCCore", package: "grpc-swift-2"),
        .product(name: "GRPCNIOTransportHTTP2Posix", package: "grpc-swift-nio-transport"),
        .product(name: "GRPCProtobuf", package: "grpc-swift-protobuf"),
        .product(name: "SwiftProtobuf", package: "swift-protobuf"),
    ]
    targets += [
        // TLS, and certificates by which nodes know each other.
        library("ConnectionSecurity", ["EngineConfiguration", "Diagnostics", nioCore, nioSSL]),
        library(
            "NodeCertificates",
            [
                "Diagnostics", crypto, .product(name: "X509", package: "swift-certificates"),
                .product(name: "SwiftASN1", package: "swift-asn1"),
            ]),
        tests(
            "ConnectionSecurityTests",
            [
                "ConnectionSecurity", "NodeCertificates", "TCPTransport", "GRPCTransport", "TransportConformance",
                "Transport", "EngineConfiguration", "Diagnostics",
            ]),
        // Transports between processes.
        plugin(
            "TCPTransport",
            [
                "ConnectionSecurity", "Transport", "WireCodec", "Columnar", "Diagnostics", "EngineConfiguration",
                "PluginHost", nioCore, nioPosix, log,
            ]),
        tests("TCPTransportTests", ["TCPTransport", "TransportConformance", "Transport", "WireCodec", "Diagnostics"]),
        plugin(
            "GRPCTransport",
            [
                "ConnectionSecurity", "Transport", "WireCodec", "ClusterMembership", "Columnar", "Diagnostics",
                "EngineConfiguration", "PluginHost", nioCore, nioPosix, log,
            ] + grpc, exclude: ["Protos"]),
        tests("ShellTests", []),
        tests(
            "ClusterTests",
            ["Authentication", "EngineTestSupport", "TransportConformance", "Frontends", "Columnar", "Diagnostics"]),
        // Who clients are.
        library("Authentication", ["Coordination", "Frontends", "EngineConfiguration", "Diagnostics", crypto]),
        tests(
            "AuthenticationTests",
            ["Authentication", "Coordination", "Frontends", "EngineConfiguration", "Diagnostics"]),
        // Servers for clients.
        library(
            "PostgresFrontend",
            [
                "Authentication", "ConnectionSecurity", "Coordination", "Frontends", "Transport", "Columnar",
                "Diagnostics", nioCore, nioPosix, log,
            ]),
        library(
            "HTTPFrontend",
            [
                "ConnectionSecurity", "Coordination", "Frontends", "FileFormats", "Transport", "Columnar",
                "Diagnostics", "CZlib",
                nioCore, nioPosix, .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOWebSocket", package: "swift-nio"), log,
            ], exclude: ["Dashboard"]),
        tests(
            "HTTPFrontendTests",
            [
                "HTTPFrontend", "Frontends", "EngineTestSupport", "EmbeddedCluster", "Coordination", "Transport",
                "Diagnostics",
                nioCore, nioPosix, log,
            ]),
        library(
            "FlightSQLFrontend",
            [
                "Coordination", "Frontends", "FileFormats", "Columnar", "Diagnostics",
                .product(name: "GRPCCore", package: "grpc-swift-2"),
                .product(name: "GRPCNIOTransportHTTP2Posix", package: "grpc-swift-nio-transport"), log,
            ]),
        tests("FlightSQLFrontendTests", ["FlightSQLFrontend", "FileFormats", "Columnar", "Diagnostics"]),
        tests("PostgresFrontendTests", ["PostgresFrontend", "Frontends", "Columnar", "Diagnostics", nioCore]),
        tests(
            "GRPCTransportTests",
            [
                "GRPCTransport", "ClusterMembership", "TransportConformance", "Transport", "WireCodec", "Diagnostics",
                nioCore, .product(name: "NIOEmbedded", package: "swift-nio"),
            ]),
    ]
}

if !engineOnly {
    programDependencies += [
        "TCPTransport", "GRPCTransport", "PostgresFrontend", "HTTPFrontend", "FlightSQLFrontend", "ClusterMembership",
        "Authentication", "ConnectionSecurity", "NodeCertificates", "Transport",
        "WorkerRuntime",
        nioCore, nioPosix,
    ]
    programSettings.append(.define("MARTLET_NETWORK"))
}
targets.append(
    .executableTarget(
        name: "martlet", dependencies: programDependencies, path: "Sources/martlet", swiftSettings: programSettings))

let package = Package(
    name: "martlet", platforms: [.macOS(.v15)], products: products, dependencies: dependencies, targets: targets)
