/// The UDP servers that are compared, and how each is started.
enum UDPServer: String, CaseIterable, Codable {
    /// What most programs do: one `recvfrom` and one `sendto` for each datagram, and no event loop.
    case loop = "recvfrom-sendto"
    /// The same by the batch, with `recvmmsg` and `sendmmsg`.
    case batch = "recvmmsg-sendmmsg"
    /// What is judged.
    case twill = "twill"

    /// Those that Twill is measured against.
    static let peers: [UDPServer] = [.loop, .batch]

    /// The program and its arguments, for a server on a free port of 127.0.0.1.
    func command(twill: String, udpEcho: String) -> [String] {
        switch self {
        case .loop: [udpEcho, "loop"]
        case .batch: [udpEcho, "batch"]
        case .twill: [twill, "serve", "udp-echo", "--listen", "udp:127.0.0.1:0"]
        }
    }
}

/// One kind of load of datagrams, and what Twill promises under it.
struct UDPScenario {
    let name: String
    let datagramBytes: Int
    /// How many are on their way at a time.
    let window: Int
    /// Twill's CPU time per datagram against that of ``UDPServer/loop``; nil where it is only printed.
    let ratioMax: Double?

    static let all = [
        UDPScenario(name: "udp-64", datagramBytes: 64, window: 128, ratioMax: 1.00),
        UDPScenario(name: "udp-1400", datagramBytes: 1400, window: 64, ratioMax: nil),
        // Whoever waits for several things asks the system what is ready, which these two peers need not.
        UDPScenario(name: "udp-64x1", datagramBytes: 64, window: 1, ratioMax: nil),
    ]

    var summary: String { "\(datagramBytes) B, \(window) on their way" }
}
