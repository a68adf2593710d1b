// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "twill-examples",
    platforms: [.macOS(.v26)],
    dependencies: [
        .package(name: "twill", path: ".."),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.6.0"),
    ],
    targets: [
        "EchoServer", "EchoClient", "PickyEcho", "TenEchoClients", "CountingEcho", "QOTD", "Answers", "AbortStalled", "MessageQueue",
        "Chat", "PortForward", "UDPEcho", "UNIXEcho", "StdioTelnet", "TinyHTTP", "Cache",
        "PoetryServer", "PoetryClient", "SimplePoetryClient", "PoetryStack", "PoetryDescriptors",
        "AsyncEchoServer", "AsyncEchoClient", "AsyncTenEchoClients", "AsyncQOTD", "AsyncAnswers", "AsyncMessageQueue", "AsyncPoetryClient",
        "AsyncTinyHTTP",
    ].map { name in
        .executableTarget(name: name, dependencies: [.product(name: "Twill", package: "twill")])
    } + [
        .executableTarget(
            name: "TLSEcho", dependencies: [.product(name: "Twill", package: "twill"), .product(name: "TwillTLS", package: "twill")]),
        .executableTarget(
            name: "Admin",
            dependencies: [
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Twill", package: "twill"),
                .product(name: "TwillServices", package: "twill"),
            ]),
    ],
    swiftLanguageModes: [.v6]
)
