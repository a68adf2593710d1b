// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "twill-examples",
    platforms: [.macOS(.v26)],
    dependencies: [
        .package(name: "twill", path: "..")
    ],
    targets: ["EchoServer", "EchoClient", "QOTD", "AsyncEchoServer", "AsyncEchoClient", "AsyncQOTD"].map { name in
        .executableTarget(name: name, dependencies: [.product(name: "Twill", package: "twill")])
    } + [
        .executableTarget(
            name: "TLSEcho", dependencies: [.product(name: "Twill", package: "twill"), .product(name: "TwillTLS", package: "twill")])
    ],
    swiftLanguageModes: [.v6]
)
