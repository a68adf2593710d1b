/// The servers that `bench tls` compares.
enum TLSServer: String, CaseIterable, Codable {
    /// The floor: epoll and OpenSSL.
    case rawEpoll = "raw-epoll-tls"
    /// Twill by callbacks.
    case twill = "twill-tls"
    /// Twill by tasks.
    case twillTasks = "twill-tls-tasks"
    /// SwiftNIO with NIOSSL, which has a TLS of its own in it: BoringSSL.
    case swiftNIO = "swift-nio-tls"

    /// The program, and what it is told.
    var program: String { self == .twillTasks ? "twill-tls" : rawValue }

    func command(program: String, certificate: String, key: String) -> [String] {
        let mode: [String] =
            switch self {
            case .twill: ["callbacks"]
            case .twillTasks: ["tasks"]
            case .rawEpoll, .swiftNIO: []
            }
        return [program] + mode + ["--cert", certificate, "--key", key]
    }
}

/// One kind of load by TLS, and what is promised there: CPU time against others.
struct TLSScenario {
    let name: String
    let summary: String
    let arguments: [String]
    /// Whether handshakes are counted, and not messages.
    let countsHandshakes: Bool
    let limits: [(peer: TLSServer, ratioMax: Double)]

    static let all = [
        TLSScenario(
            name: "tls-64", summary: "64 B, TLS 1.3, 64 connections", arguments: ["--bytes", "64"], countsHandshakes: false,
            limits: [(.rawEpoll, 1.15)]),
        TLSScenario(
            name: "tls-16k", summary: "16384 B, TLS 1.3, 64 connections", arguments: ["--bytes", "16384"], countsHandshakes: false,
            limits: [(.rawEpoll, 1.15)]),
        // As many a second, at least 0.95 of them, is as much time for each, at most 1.05 of it.
        TLSScenario(
            name: "tls-handshakes", summary: "full handshakes of TLS 1.3, P-256, a message of 64 B, 16 connections",
            arguments: ["--handshakes", "--connections", "16"], countsHandshakes: true, limits: [(.rawEpoll, 1.05)]),
    ]
}
