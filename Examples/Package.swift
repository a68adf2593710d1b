// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "twill-examples",
    platforms: [.macOS(.v26)],
    dependencies: [
        .package(name: "twill", path: ".."),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.6.0"),
    ],
    targets: ["EchoServer", "EchoClient", "QOTD", "AsyncEchoServer", "AsyncEchoClient", "AsyncQOTD"].map { name in
        .executableTarget(name: name, dependencies: [.product(name: "Twill", package: "twill")])
    } + [
        .executableTarget(
            name: "Admin",
            dependencies: [
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Twill", package: "twill"),
                .product(name: "TwillServices", package: "twill"),
            ])
    ],
    swiftLanguageModes: [.v6]
)
