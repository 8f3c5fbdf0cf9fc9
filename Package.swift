// swift-tools-version: 6.2
import PackageDescription

/// One set of rules for every Swift target of this package.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("ExistentialAny"),
]

let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let signals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")
let http = Target.Dependency.product(name: "FlyingFox", package: "FlyingFox")
let yaml = Target.Dependency.product(name: "Yams", package: "Yams")
// Only with the trait GRPC: without it these packages are neither resolved nor built.
let gRPC = [
    Target.Dependency.product(name: "GRPCCore", package: "grpc-swift-2", condition: .when(traits: ["GRPC"])),
    .product(
        name: "GRPCNIOTransportHTTP2Posix", package: "grpc-swift-nio-transport", condition: .when(traits: ["GRPC"])),
]

/// A library on one of the floors of docs/ARCHITECTURE.md. It may depend on libraries of its own floor above it in this
/// file, and on those of the floors below.
func library(_ name: String, on floor: String, _ dependencies: [Target.Dependency] = [], exclude: [String] = [])
    -> Target
{
    .target(
        name: name, dependencies: dependencies, path: "Sources/\(floor)/\(name)", exclude: exclude,
        swiftSettings: strict)
}

/// A program: options and one call of a flow.
func program(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(
        name: name, dependencies: dependencies + [argumentParser], path: "Sources/Programs/\(name)",
        swiftSettings: strict)
}

/// A C library of the system: a module map and a header that includes the library's.
func system(_ name: String, _ package: String, apt: String) -> Target {
    .systemLibrary(name: name, path: "Sources/C/\(name)", pkgConfig: package, providers: [.apt([apt])])
}

/// The tests of one library or program, in the folder of the same name; they need no server.
func unitTests(_ subject: String, of floor: String, _ dependencies: [Target.Dependency], exclude: [String] = [])
    -> Target
{
    .testTarget(
        name: "\(subject)Tests", dependencies: dependencies, path: "Tests/\(floor)/\(subject)", exclude: exclude,
        swiftSettings: strict)
}

let package = Package(
    name: "sensor-services",
    platforms: [.macOS(.v26)],
    products: [
        .executable(name: "sensor-simulator", targets: ["sensor-simulator"]),
        .executable(name: "sensor-registry", targets: ["sensor-registry"]),
        .executable(name: "logs-ingester", targets: ["logs-ingester"]),
        .executable(name: "measurements-ingester", targets: ["measurements-ingester"]),
        .executable(name: "iotctl", targets: ["iotctl"]),
    ],
    traits: [
        // Off by default, so that a first `make demo` does not build SwiftNIO (docs/decisions/0020-grpc.md).
        .trait(name: "GRPC", description: "Machine control over gRPC in sensor-registry: --grpc-port.")
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/swhitty/FlyingFox", from: "0.27.1"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/grpc/grpc-swift-2", from: "2.4.3"),
        .package(url: "https://github.com/grpc/grpc-swift-nio-transport", from: "2.9.2"),
    ],
    targets: [
        // C: module maps of the system's libraries, the messages that `make proto` generates, three Linux calls that
        // Glibc's module hides, and the SQL files that Store excludes: Swift takes a minute to compile them as arrays.
        system("CRabbitMQ", "librabbitmq", apt: "librabbitmq-dev"),
        system("CPostgres", "libpq", apt: "libpq-dev"),
        system("CMosquitto", "libmosquitto", apt: "libmosquitto-dev"),
        system("CCurl", "libcurl", apt: "libcurl4-openssl-dev"),
        system("CProtobuf", "libprotobuf-c", apt: "libprotobuf-c-dev"),
        .target(name: "CMessages", dependencies: ["CProtobuf"], path: "Sources/C/CMessages"),
        .target(name: "CThread", path: "Sources/C/CThread"),
        .target(name: "CSchema", path: "Sources/C/CSchema"),

        // Values: no I/O.
        library("Time", on: "Values", ["CThread"]),
        library("Model", on: "Values", ["Time"]),
        library("Signals", on: "Values"),
        library("Rules", on: "Values", ["Time", "Model", "Signals"]),
        library("Wire", on: "Values", ["CMessages", "Time", "Model"]),
        library("SampleFiles", on: "Values", ["Time", "Model"]),
        library("Simulation", on: "Values", ["Time", "Model", "SampleFiles"]),

        // Clients: move bytes, know no sensor.
        library("Support", on: "Clients"),
        library("ClientThread", on: "Clients", ["CThread", "Time"]),
        library("Endpoint", on: "Clients"),
        library("Broker", on: "Clients"),
        library("AMQP", on: "Clients", ["CRabbitMQ", "Model", "Support", "ClientThread", "Endpoint", "Broker"]),
        library("MQTT", on: "Clients", ["CThread", "CMosquitto", "Support", "ClientThread", "Endpoint"]),
        library("Postgres", on: "Clients", ["CPostgres", "Time", "Support", "ClientThread", "Endpoint"]),
        library("Management", on: "Clients", ["Endpoint"]),
        library("Curl", on: "Clients", ["CCurl", "Time", "ClientThread"]),

        // Database: tables, SQL functions, queries.
        library(
            "Store", on: "Database",
            [
                "CSchema", "Time", "Model", "Signals", "Rules", "Postgres",
            ], exclude: ["Schema/Migrations", "Schema/Functions"]),

        // Flows: one for each thing that runs or is asked for.
        library(
            "Service", on: "Flows",
            [
                "Time", "Support", "Endpoint", "AMQP", "Postgres", argumentParser, logging, lifecycle, signals, http,
            ]),
        library(
            "Messaging", on: "Flows",
            [
                "Time", "Model", "Wire", "Support", "Broker", "AMQP", "Postgres", "Store", "Service", logging,
            ]),
        library(
            "Ingest", on: "Flows",
            [
                "Time", "Model", "Rules", "Wire", "Broker", "AMQP", "Postgres", "Store", "Service", "Messaging",
                logging, lifecycle,
            ]),
        library(
            "Notify", on: "Flows",
            ["Time", "Model", "Support", "Curl", "Postgres", "Store", "Service", logging, yaml]),
        library(
            "Registry", on: "Flows",
            [
                "Time", "Model", "Rules", "Wire", "Endpoint", "Broker", "AMQP", "Postgres", "Management", "Store",
                "Service", "Messaging", "Control", "Notify", logging,
            ]),
        library("AlarmRules", on: "Flows", ["Rules", yaml]),
        library("Control", on: "Flows", ["Time", "Model", "Wire", "Broker", "AMQP", "Messaging"]),
        library(
            "API", on: "Flows",
            [
                "Time", "Model", "Wire", "Support", "Broker", "AMQP", "Postgres", "Store", "Service", "Messaging",
                "Control", logging,
            ] + gRPC),
        library(
            "Archive", on: "Flows",
            [
                "Time", "Model", "Wire", "SampleFiles", "Support", "Broker", "AMQP", "Postgres", "Store",
                "Messaging",
            ]),
        library(
            "Diagnosis", on: "Flows",
            [
                "Time", "Model", "Wire", "Support", "Endpoint", "Broker", "AMQP", "Postgres", "Management", "Store",
                "Service", "Messaging",
            ]),
        library(
            "Records", on: "Flows",
            [
                "Time", "Model", "Signals", "Rules", "Wire", "SampleFiles", "Store", "Control", "Archive", "Diagnosis",
            ]),
        library(
            "Simulator", on: "Flows",
            [
                "Time", "Model", "Wire", "SampleFiles", "Simulation", "Support", "Endpoint", "Broker", "AMQP", "MQTT",
                "Service", argumentParser, logging,
            ]),
        library(
            "Bench", on: "Flows",
            [
                "CRabbitMQ", "CPostgres", "Time", "Model", "Wire", "Support", "Endpoint", "Broker", "AMQP", "Postgres",
                "Store", "Service",
            ]),

        // Programs: wiring only.
        program("sensor-simulator", ["Time", "Model", "Service", "Simulator"]),
        program("sensor-registry", ["Time", "Model", "Service", "Notify", "Registry", "API"]),
        program("logs-ingester", ["Service", "Ingest"]),
        program("measurements-ingester", ["Service", "Ingest"]),
        program(
            "iotctl",
            [
                "Time", "Model", "Signals", "Rules", "Wire", "SampleFiles", "Support", "Endpoint", "Broker", "AMQP",
                "Postgres", "Store", "Service", "Messaging", "AlarmRules", "Control", "Archive", "Diagnosis", "Records",
                "Bench", yaml,
            ]),

        // `make bench`, and `make microbench`: what a frame costs on its way, in instructions.
        .executableTarget(
            name: "bench-tool",
            dependencies: [
                "CPostgres", "Time", "Model", "Wire", "Endpoint", "Broker", "AMQP", "Postgres", "Store", "Service",
                "Bench", argumentParser,
            ],
            path: "Benchmarks/BenchTool", swiftSettings: strict),
        .executableTarget(
            name: "micro-bench",
            dependencies: ["Time", "Model", "Rules", "Wire", "Postgres", "Store"],
            path: "Benchmarks/MicroBench", swiftSettings: strict),

        // Tests: the same folders again.
        unitTests("Time", of: "Values", ["Time", "Simulation"]),
        unitTests("Model", of: "Values", ["Time", "Model", "Simulation", "Support"]),
        unitTests("Signals", of: "Values", ["Signals"]),
        unitTests("Rules", of: "Values", ["Time", "Model", "Rules", "Simulation"]),
        unitTests("Wire", of: "Values", ["Time", "Model", "Wire", "Simulation", "Simulator"], exclude: ["Fixtures"]),
        unitTests("SampleFiles", of: "Values", ["Time", "Model", "SampleFiles"]),
        unitTests("Simulation", of: "Values", ["Time", "Model", "SampleFiles", "Simulation"]),
        unitTests("Endpoint", of: "Clients", ["Endpoint"]),
        unitTests("ClientThread", of: "Clients", ["ClientThread"]),
        unitTests("Support", of: "Clients", ["Support", "TestSupport"]),
        unitTests("AMQP", of: "Clients", ["Simulation", "Support", "Broker", "AMQP"]),
        unitTests("MQTT", of: "Clients", ["Endpoint", "MQTT", "TestSupport"]),
        unitTests("Postgres", of: "Clients", ["CPostgres", "Time", "Endpoint", "Postgres"]),
        unitTests("Store", of: "Database", ["Model", "Postgres", "Store", "TestSupport"]),
        unitTests("Service", of: "Flows", ["Time", "Endpoint", "Service", argumentParser]),
        unitTests("Messaging", of: "Flows", ["Model", "Wire", "Broker", "Messaging"]),
        unitTests(
            "Ingest", of: "Flows",
            ["Time", "Model", "Rules", "Wire", "Simulation", "Broker", "Postgres", "Store", "Messaging", "Ingest"]),
        unitTests("AlarmRules", of: "Flows", ["Model", "Rules", "AlarmRules"]),
        unitTests("Notify", of: "Flows", ["Time", "Model", "Curl", "Store", "Notify"]),
        unitTests("Control", of: "Flows", ["Model", "Simulation", "Broker", "Control"]),
        unitTests("API", of: "Flows", ["Time", "Model", "Wire", "API"]),
        unitTests(
            "Diagnosis", of: "Flows",
            [
                "Time", "Model", "Wire", "Support", "Broker", "Management", "Store", "Messaging", "Diagnosis",
            ]),
        unitTests(
            "Records", of: "Flows",
            [
                "Time", "Model", "Signals", "Rules", "Wire", "SampleFiles", "Store", "Control", "Archive", "Diagnosis",
                "Records", "Bench", "TestSupport",
            ]),
        unitTests("Simulator", of: "Flows", ["Model", "Wire", "Simulation", "Broker", "Simulator"]),
        unitTests(
            "iotctl", of: "Programs",
            [
                "Time", "Model", "Signals", "Simulation", "Endpoint", "Store", "Service", "Control", "Diagnosis",
                "Simulator",
                "Records", "iotctl", "TestSupport", argumentParser,
            ]),
        .testTarget(
            name: "DocumentsTests",
            dependencies: ["Time", "Model", "Rules", "Wire", "Endpoint", "Broker", "Messaging", "TestSupport", yaml],
            path: "Tests/Documents", swiftSettings: strict),
        .target(
            name: "TestSupport", dependencies: ["Endpoint", "Postgres", "Service"], path: "Tests/Support",
            swiftSettings: strict),
        .testTarget(
            name: "IntegrationTests",
            dependencies: [
                "Time", "Model", "Rules", "Wire", "Simulation", "Endpoint", "Broker", "AMQP", "MQTT", "Postgres",
                "Store", "Service", "Messaging", "Control", "Archive", "TestSupport",
            ],
            path: "Tests/Integration", swiftSettings: strict),
        .testTarget(
            name: "EndToEndTests",
            dependencies: [
                "Time", "Model", "Wire", "Endpoint", "Broker", "AMQP", "Postgres", "Store", "Service", "TestSupport",
                "sensor-simulator",
                "sensor-registry", "logs-ingester", "measurements-ingester", "iotctl",
            ],
            path: "Tests/EndToEnd", exclude: ["Outside"], swiftSettings: strict),
    ]
)
