// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "twill-fuzz",
    platforms: [.macOS(.v26)],
    dependencies: [
        .package(name: "twill", path: "..")
    ],
    targets: [
        // Sources/fuzz/Checks is a link to what the tests check with.
        .executableTarget(
            name: "fuzz",
            dependencies: [.product(name: "Twill", package: "twill")],
            swiftSettings: [
                .strictMemorySafety(),
                .enableUpcomingFeature("ExistentialAny"),
                .enableUpcomingFeature("InternalImportsByDefault"),
            ]
        ),
        // The same for what needs OpenSSL.
        .executableTarget(
            name: "fuzz-tls",
            dependencies: [
                .product(name: "Twill", package: "twill"),
                .product(name: "TwillTLS", package: "twill"),
                .product(name: "TwillTesting", package: "twill"),
            ],
            swiftSettings: [
                .strictMemorySafety(),
                .enableUpcomingFeature("ExistentialAny"),
                .enableUpcomingFeature("InternalImportsByDefault"),
            ]
        ),
    ],
    swiftLanguageModes: [.v6]
)
