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

/// A service: a thin main over `Pipelines`.
func service(_ name: String, folder: String) -> Target {
    .executableTarget(
        name: name, dependencies: ["Pipelines", "Sensors", argumentParser], path: "Sources/\(folder)",
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
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/swhitty/FlyingFox", from: "0.27.1"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        // C libraries of the system: module maps and shims only.
        .systemLibrary(name: "CRabbitMQ", pkgConfig: "librabbitmq", providers: [.apt(["librabbitmq-dev"])]),
        .systemLibrary(name: "CPostgres", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        .systemLibrary(name: "CMosquitto", pkgConfig: "libmosquitto", providers: [.apt(["libmosquitto-dev"])]),
        .systemLibrary(name: "CProtobuf", pkgConfig: "libprotobuf-c", providers: [.apt(["libprotobuf-c-dev"])]),
        // C of our own: generated protobuf messages (`make proto`) and three Linux calls that Glibc's module hides.
        .target(name: "CMessages", dependencies: ["CProtobuf"]),
        .target(name: "CThread"),

        // Pure: no I/O, no C.
        .target(name: "Sensors", swiftSettings: strict),
        .target(name: "Simulation", dependencies: ["Sensors"], swiftSettings: strict),
        .target(name: "Wire", dependencies: ["Sensors", "CMessages"], swiftSettings: strict),

        // Clients: one C library each.
        .target(name: "ClientThread", dependencies: ["CThread"], swiftSettings: strict),
        .target(name: "Device", dependencies: ["ClientThread", "CMosquitto", "CThread"], swiftSettings: strict),
        .target(name: "Broker", dependencies: ["ClientThread", "CRabbitMQ"], swiftSettings: strict),
        .target(
            name: "Store", dependencies: ["ClientThread", "CPostgres", "Sensors"],
            exclude: [], resources: [.embedInCode("Migrations")], swiftSettings: strict),

        // Health, metrics, logs.
        .target(name: "Telemetry", dependencies: [logging, lifecycle, http], swiftSettings: strict),

        // One file per flow.
        .target(
            name: "Pipelines",
            dependencies: [
                "Sensors", "Simulation", "Wire", "Device", "Broker", "Store", "Telemetry", logging, lifecycle,
                signals,
                argumentParser,
            ],
            swiftSettings: strict),

        service("sensor-simulator", folder: "SensorSimulator"),
        service("sensor-registry", folder: "SensorRegistry"),
        service("logs-ingester", folder: "LogsIngester"),
        service("measurements-ingester", folder: "MeasurementsIngester"),
        .executableTarget(
            name: "iotctl",
            dependencies: [
                "Pipelines", "Bench", "Simulation", "Sensors", "Wire", "Broker", "Store", argumentParser, yaml,
            ],
            swiftSettings: strict),

        // What our programs are measured against, by `iotctl bench` and `make bench`.
        .target(
            name: "Bench",
            dependencies: ["Pipelines", "Broker", "Store", "Wire", "Sensors", "CRabbitMQ", "CPostgres"],
            swiftSettings: strict),

        // `make bench`.
        .executableTarget(
            name: "bench-tool",
            dependencies: [
                "Bench", "Pipelines", "Broker", "Store", "Wire", "Sensors", "CPostgres", argumentParser,
            ],
            path: "Benchmarks/BenchTool", swiftSettings: strict),

        // `make microbench`: what a frame costs on its way, in instructions.
        .executableTarget(
            name: "micro-bench", dependencies: ["Sensors", "Store", "Wire"], path: "Benchmarks/MicroBench",
            swiftSettings: strict),

        .testTarget(name: "SensorsTests", dependencies: ["Sensors"], swiftSettings: strict),
        .testTarget(name: "SimulationTests", dependencies: ["Simulation", "Sensors"], swiftSettings: strict),
        .testTarget(
            name: "WireTests", dependencies: ["Wire", "Sensors"], exclude: ["Fixtures"], swiftSettings: strict),
        .testTarget(name: "StoreTests", dependencies: ["Store", "Sensors"], swiftSettings: strict),
        .testTarget(name: "DeviceTests", dependencies: ["Device", "ClientThread"], swiftSettings: strict),
        .testTarget(
            name: "PipelinesTests",
            dependencies: ["TestSupport", "Pipelines", "Simulation", "Telemetry", "Broker", "Wire", "Sensors", yaml],
            swiftSettings: strict),
        .testTarget(
            name: "IotCtlTests",
            dependencies: [
                "iotctl", "TestSupport", "Bench", "Pipelines", "Sensors", "Broker", "Store", argumentParser,
            ],
            swiftSettings: strict),
        .testTarget(name: "BrokerTests", dependencies: ["Broker", "ClientThread"], swiftSettings: strict),
        .target(
            name: "TestSupport", dependencies: ["Pipelines", "Store"], path: "Tests/TestSupport",
            swiftSettings: strict),
        .testTarget(
            name: "IntegrationTests",
            dependencies: ["TestSupport", "Broker", "Device", "Store", "Wire", "Sensors", "Pipelines"],
            swiftSettings: strict),
        .testTarget(
            name: "EndToEndTests",
            dependencies: [
                "TestSupport", "Store", "Sensors", "Pipelines",
                "sensor-simulator", "sensor-registry", "logs-ingester", "measurements-ingester", "iotctl",
            ],
            exclude: ["Outside"], swiftSettings: strict),
    ]
)
