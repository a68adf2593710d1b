// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "twill-examples",
    platforms: [.macOS(.v26)],
    dependencies: [
        .package(name: "twill", path: "..")
    ],
    targets: [
        "EchoServer", "EchoClient", "PickyEcho", "TenEchoClients", "CountingEcho", "QOTD", "Answers", "AbortStalled", "MessageQueue",
        "Chat",
        "PortForward", "UDPEcho", "UNIXEcho", "StdioTelnet", "TinyHTTP", "Cache",
        "PoetryServer", "PoetryClient", "SimplePoetryClient", "PoetryStack", "PoetryDescriptors",
        "AsyncEchoServer", "AsyncEchoClient", "AsyncQOTD", "AsyncAnswers", "AsyncPoetryClient",
    ].map { name in
        .executableTarget(name: name, dependencies: [.product(name: "Twill", package: "twill")])
    } + [
        .executableTarget(
            name: "TLSEcho", dependencies: [.product(name: "Twill", package: "twill"), .product(name: "TwillTLS", package: "twill")])
    ],
    swiftLanguageModes: [.v6]
)
