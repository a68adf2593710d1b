// swift-tools-version: 6.2
import PackageDescription

let baseSettings: [SwiftSetting] = [
    .strictMemorySafety(),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("ImmutableWeakCaptures"),
    .enableUpcomingFeature("InferIsolatedConformances"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]
let settings = baseSettings + [.enableUpcomingFeature("MemberImportVisibility")]
// Which C module a type such as timespec is found in depends on what else a file imports, so tests, and the runner's calls of the system, go
// without that check.
let testSettings = baseSettings

let package = Package(
    name: "twill",
    platforms: [.macOS(.v26)],
    products: [
        .library(name: "Twill", targets: ["Twill"]),
        .library(name: "TwillLifecycle", targets: ["TwillLifecycle"]),
        .library(name: "TwillTLS", targets: ["TwillTLS"]),
        .library(name: "TwillMetrics", targets: ["TwillMetrics"]),
        .library(name: "TwillServices", targets: ["TwillServices"]),
        .library(name: "TwillTesting", targets: ["TwillTesting"]),
        .executable(name: "twill", targets: ["TwillTool"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-log", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.5.0"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        .systemLibrary(
            name: "CLibevent",
            path: "CLibevent",
            pkgConfig: "libevent_core",
            providers: [.apt(["libevent-dev"]), .brew(["libevent"])]
        ),
        .target(
            name: "Twill",
            dependencies: [
                "CLibevent",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings
        ),
        .systemLibrary(
            name: "COpenSSL",
            path: "COpenSSL",
            pkgConfig: "openssl",
            providers: [.apt(["libssl-dev"]), .brew(["openssl@3"])]
        ),
        .target(
            name: "TwillTLS",
            dependencies: [
                "COpenSSL",
                "Twill",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings
        ),
        .target(
            name: "TwillLifecycle",
            dependencies: [
                "Twill",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: settings
        ),
        .target(
            name: "TwillMetrics",
            dependencies: [
                "Twill",
                "TwillServices",
                .product(name: "CoreMetrics", package: "swift-metrics"),
            ],
            swiftSettings: settings
        ),
        .target(name: "CServices"),
        .target(
            name: "TwillServices",
            dependencies: [
                "CServices",
                "Twill",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: baseSettings
        ),
        .target(
            name: "TwillTesting",
            dependencies: [
                "Twill",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "TwillTool",
            dependencies: [
                "Twill",
                "TwillTLS",
                "TwillTesting",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Histogram", package: "hdrhistogram-swift"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings
        ),
        .target(name: "CAllocationCounter", path: "Tests/CAllocationCounter"),
        .target(name: "TestSupport", dependencies: ["Twill", "TwillTesting"], path: "Tests/TestSupport", swiftSettings: testSettings),
        .target(name: "ChildProcess", dependencies: ["Twill"], path: "Tests/ChildProcess", swiftSettings: testSettings),
        .testTarget(
            name: "TwillTests",
            dependencies: [
                "CAllocationCounter",
                "ChildProcess",
                "TestSupport",
                "Twill",
                "TwillTesting",
                .product(name: "Logging", package: "swift-log"),
            ],
            exclude: ["Peers/twisted_peer.py"],
            swiftSettings: testSettings
        ),
        .testTarget(
            name: "TwillLifecycleTests",
            dependencies: [
                "TestSupport",
                "Twill",
                "TwillLifecycle",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: testSettings
        ),
        .target(name: "CCertificates", dependencies: ["COpenSSL"], path: "Tests/CCertificates"),
        .target(name: "TestCertificates", dependencies: ["CCertificates"], path: "Tests/TestCertificates", swiftSettings: testSettings),
        .testTarget(
            name: "TwillTLSTests",
            dependencies: [
                "CCertificates",
                "ChildProcess",
                "TestCertificates",
                "TestSupport",
                "Twill",
                "TwillTLS",
                "TwillTesting",
                .product(name: "Logging", package: "swift-log"),
            ],
            exclude: ["Peers/tls_peer.py"],
            swiftSettings: testSettings
        ),
        .executableTarget(
            name: "ServiceProgram",
            dependencies: [
                "Twill",
                "TwillServices",
                "TwillTLS",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Tests/ServiceProgram",
            swiftSettings: testSettings
        ),
        .testTarget(
            name: "TwillServicesTests",
            dependencies: [
                "ChildProcess",
                "ServiceProgram",
                "TestCertificates",
                "TestSupport",
                "Twill",
                "TwillMetrics",
                "TwillServices",
                "TwillTLS",
                "TwillTesting",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "MetricsTestKit", package: "swift-metrics"),
            ],
            swiftSettings: testSettings
        ),
        .testTarget(
            name: "TwillTestingTests",
            dependencies: [
                "Twill",
                "TwillTesting",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: testSettings
        ),
        // The code on pages and in comments: a plugin takes it out, and the target compiles it with the settings of a reader's own package.
        .executableTarget(name: "PageCode", path: "Tests/PageCode", swiftSettings: testSettings),
        .plugin(name: "PageCodePlugin", capability: .buildTool(), dependencies: ["PageCode"], path: "Tests/PageCodePlugin"),
        .testTarget(
            name: "PagesTests",
            dependencies: [
                "ChildProcess",
                "Twill",
                "TwillLifecycle",
                "TwillMetrics",
                "TwillServices",
                "TwillTLS",
                "TwillTesting",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "CoreMetrics", package: "swift-metrics"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            plugins: ["PageCodePlugin"]
        ),
        .testTarget(
            name: "TwillToolTests",
            dependencies: ["ChildProcess", "TestCertificates", "TestSupport", "Twill", "TwillTool"],
            swiftSettings: testSettings
        ),
    ],
    swiftLanguageModes: [.v6]
)
