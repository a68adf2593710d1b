// swift-tools-version: 6.2
import PackageDescription

let warnings: [CSetting] = [.unsafeFlags(["-Wall", "-Wextra"])]

let package = Package(
    name: "twill-benchmarks",
    platforms: [.macOS(.v26)],
    products: [
        .executable(name: "bench", targets: ["bench"]),
        .executable(name: "raw-epoll", targets: ["raw-epoll"]),
        .executable(name: "textbook-bufferevent", targets: ["textbook-bufferevent"]),
        .executable(name: "churn-client", targets: ["churn-client"]),
        .executable(name: "udp-echo", targets: ["udp-echo"]),
        .executable(name: "udp-load", targets: ["udp-load"]),
        .executable(name: "batch-load", targets: ["batch-load"]),
        .executable(name: "twill-reactors", targets: ["twill-reactors"]),
        .executable(name: "framer-bench", targets: ["framer-bench"]),
        .executable(name: "twill-async", targets: ["twill-async"]),
        .executable(name: "swift-nio-echo", targets: ["swift-nio-echo"]),
        .executable(name: "raw-epoll-tls", targets: ["raw-epoll-tls"]),
        .executable(name: "twill-tls", targets: ["twill-tls"]),
        .executable(name: "swift-nio-tls", targets: ["swift-nio-tls"]),
        .executable(name: "tls-load", targets: ["tls-load"]),
    ],
    dependencies: [
        .package(name: "twill", path: ".."),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
    ],
    targets: [
        .systemLibrary(
            name: "CLibeventCore",
            path: "CLibeventCore",
            pkgConfig: "libevent_core",
            providers: [.apt(["libevent-dev"]), .brew(["libevent"])]
        ),
        .systemLibrary(
            name: "COpenSSLPeer",
            path: "COpenSSLPeer",
            pkgConfig: "openssl",
            providers: [.apt(["libssl-dev"]), .brew(["openssl@3"])]
        ),
        .executableTarget(
            name: "raw-epoll-tls",
            dependencies: ["COpenSSLPeer", "PeerSupport"],
            path: "Peers/raw-epoll-tls",
            cSettings: warnings
        ),
        .executableTarget(
            name: "tls-load",
            dependencies: ["COpenSSLPeer", "PeerSupport"],
            path: "Peers/tls-load",
            cSettings: warnings
        ),
        .executableTarget(
            name: "twill-tls",
            dependencies: [
                "PeerSupport",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Twill", package: "twill"),
                .product(name: "TwillTLS", package: "twill"),
            ]
        ),
        .executableTarget(
            name: "swift-nio-tls",
            dependencies: [
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ],
            path: "Peers/swift-nio-tls",
            swiftSettings: [.enableUpcomingFeature("ExistentialAny")]
        ),
        .target(name: "PeerSupport", path: "Peers/support", cSettings: warnings),
        .executableTarget(
            name: "raw-epoll",
            dependencies: ["PeerSupport"],
            path: "Peers/raw-epoll",
            cSettings: warnings
        ),
        .executableTarget(
            name: "textbook-bufferevent",
            dependencies: ["CLibeventCore", "PeerSupport"],
            path: "Peers/textbook-bufferevent",
            cSettings: warnings
        ),
        .executableTarget(
            name: "churn-client",
            dependencies: ["PeerSupport"],
            path: "Peers/churn-client",
            cSettings: warnings
        ),
        .executableTarget(
            name: "udp-echo",
            dependencies: ["PeerSupport"],
            path: "Peers/udp-echo",
            cSettings: warnings
        ),
        .executableTarget(
            name: "udp-load",
            dependencies: ["PeerSupport"],
            path: "Peers/udp-load",
            cSettings: warnings
        ),
        .executableTarget(
            name: "batch-load",
            dependencies: ["PeerSupport"],
            path: "Peers/batch-load",
            cSettings: warnings
        ),
        .executableTarget(
            name: "twill-reactors",
            dependencies: [
                "PeerSupport",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Twill", package: "twill"),
                .product(name: "TwillServices", package: "twill"),
            ]
        ),
        .executableTarget(
            name: "framer-bench",
            dependencies: [
                .product(name: "Twill", package: "twill")
            ]
        ),
        .executableTarget(
            name: "twill-async",
            dependencies: [
                "PeerSupport",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Twill", package: "twill"),
            ]
        ),
        .executableTarget(
            name: "swift-nio-echo",
            dependencies: [
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            path: "Peers/swift-nio-echo",
            swiftSettings: [.enableUpcomingFeature("ExistentialAny")]
        ),
        .executableTarget(
            name: "bench",
            dependencies: [
                .product(name: "ArgumentParser", package: "swift-argument-parser")
            ],
            swiftSettings: [.enableUpcomingFeature("ExistentialAny")]
        ),
    ],
    swiftLanguageModes: [.v6],
    cLanguageStandard: .c11
)
