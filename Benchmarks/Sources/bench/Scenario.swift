/// One kind of load, and what Twill promises under it: CPU per message against the peers.
struct Scenario {
    let name: String
    var socket = Socket.tcp
    let framing: Framing
    let messageBytes: Int
    let connections: Int
    /// Messages in flight on each connection.
    let depth: Int
    /// What raw-epoll reads at most at once. Large messages get 256 KiB, or the row would show the size of the buffer.
    let rawEpollBufferBytes: Int
    let rawEpollRatioMax: Double
    /// Nil where the figure is only printed.
    let bufferEventRatioMax: Double?

    /// What the connections are made of.
    enum Socket: String, Codable {
        case tcp = "TCP"
        case unix = "UNIX"
    }

    /// How the load tester frames messages, and so which of its servers each peer runs.
    enum Framing: String, Codable {
        case raw
        case line
        case netstring
        case int32

        var peerMode: String { self == .raw ? "echo" : rawValue }
        var twillServer: String { self == .raw ? "echo" : "\(rawValue)-echo" }
    }

    var summary: String {
        "\(messageBytes) B, \(socket.rawValue), \(framing.rawValue) framing, \(connections) connections, depth \(depth)"
    }
}

extension Scenario {
    static let echo64 = Scenario(
        name: "echo-64", framing: .raw, messageBytes: 64, connections: 64, depth: 1,
        rawEpollBufferBytes: 65_536, rawEpollRatioMax: 1.10, bufferEventRatioMax: 0.75)

    static let echo64x1000 = Scenario(
        name: "echo-64x1000", framing: .raw, messageBytes: 64, connections: 1000, depth: 1,
        rawEpollBufferBytes: 65_536, rawEpollRatioMax: 1.15, bufferEventRatioMax: 0.70)

    static let echo16k = Scenario(
        name: "echo-16k", framing: .raw, messageBytes: 16_384, connections: 64, depth: 1,
        rawEpollBufferBytes: 65_536, rawEpollRatioMax: 1.10, bufferEventRatioMax: 0.25)

    static let echo1m = Scenario(
        name: "echo-1m", framing: .raw, messageBytes: 1_048_576, connections: 4, depth: 1,
        rawEpollBufferBytes: 262_144, rawEpollRatioMax: 1.05, bufferEventRatioMax: 0.15)

    static let line64 = Scenario(
        name: "line-64", framing: .line, messageBytes: 64, connections: 64, depth: 32,
        rawEpollBufferBytes: 65_536, rawEpollRatioMax: 1.20, bufferEventRatioMax: 0.60)

    static let netstring64 = Scenario(
        name: "netstring-64", framing: .netstring, messageBytes: 64, connections: 64, depth: 32,
        rawEpollBufferBytes: 65_536, rawEpollRatioMax: 1.25, bufferEventRatioMax: nil)

    static let int32String64 = Scenario(
        name: "int32-64", framing: .int32, messageBytes: 64, connections: 64, depth: 32,
        rawEpollBufferBytes: 65_536, rawEpollRatioMax: 1.25, bufferEventRatioMax: nil)

    static let echo64UNIX = Scenario(
        name: "echo-64-unix", socket: .unix, framing: .raw, messageBytes: 64, connections: 64, depth: 1,
        rawEpollBufferBytes: 65_536, rawEpollRatioMax: 1.10, bufferEventRatioMax: nil)

    static let all = [echo64, echo64x1000, echo64UNIX, echo16k, echo1m, line64, netstring64, int32String64]

    /// The most that Twill's CPU per message may be, as a ratio to the peer's; nil where there is no such promise.
    func ratioMax(against peer: Server) -> Double? {
        switch peer {
        case .rawEpoll: rawEpollRatioMax
        case .bufferEvent: bufferEventRatioMax
        case .twill: nil
        }
    }

    static func named(_ name: String) -> Scenario? {
        all.first { $0.name == name }
    }
}
