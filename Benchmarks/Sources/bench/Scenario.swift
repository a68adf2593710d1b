/// One kind of load, the servers that are put under it, and what Twill promises there: CPU per message against others.
struct Scenario {
    let name: String
    var socket = Socket.tcp
    let framing: Framing
    let messageBytes: Int
    let connections: Int
    /// Messages in flight on each connection.
    let depth: Int
    /// What raw-epoll reads at most at once. Large messages get 256 KiB, or the row would show the size of the buffer.
    var rawEpollBufferBytes = 65_536
    /// Who takes part, in the order of the table.
    var servers = Server.standard
    let limits: [Limit]

    /// The most that one server's CPU per message may be, as a ratio to another's.
    struct Limit {
        let server: Server
        let peer: Server
        let ratioMax: Double

        init(_ server: Server, to peer: Server, _ ratioMax: Double) {
            self.server = server
            self.peer = peer
            self.ratioMax = ratioMax
        }
    }

    /// What the connections are made of.
    enum Socket: String, Codable {
        case tcp = "TCP"
        case unix = "UNIX"
    }

    /// How the load tester frames messages, and so which of its servers each program runs.
    enum Framing: String, Codable {
        case raw
        case line
        case netstring
        case int32

        var mode: String { self == .raw ? "echo" : rawValue }
        var twillServer: String { self == .raw ? "echo" : "\(rawValue)-echo" }
    }

    var summary: String {
        "\(messageBytes) B, \(socket.rawValue), \(framing.rawValue) framing, \(connections) connections, depth \(depth)"
    }

    /// The servers that others are held against.
    var references: [Server] {
        let all = Set(servers.flatMap(\.references))
        return servers.filter(all.contains)
    }

    /// The limit of one server against another; nil where nothing is promised.
    func limit(of server: Server, to peer: Server) -> Limit? {
        limits.first { $0.server == server && $0.peer == peer }
    }

    /// The same load on some of its servers.
    func with(_ servers: [Server]) -> Scenario {
        var scenario = self
        scenario.servers = servers
        return scenario
    }
}

extension Scenario {
    static let echo64 = Scenario(
        name: "echo-64", framing: .raw, messageBytes: 64, connections: 64, depth: 1,
        servers: Server.standard + [.twillAsync, .twillAsyncLent, .swiftNIO, .swiftNIOAsync],
        limits: [
            Limit(.twill, to: .rawEpoll, 1.10), Limit(.twill, to: .bufferEvent, 0.75),
            Limit(.twillAsync, to: .rawEpoll, 1.15), Limit(.twillAsync, to: .twill, 1.10),
        ])

    static let echo64x1000 = Scenario(
        name: "echo-64x1000", framing: .raw, messageBytes: 64, connections: 1000, depth: 1,
        limits: [Limit(.twill, to: .rawEpoll, 1.15), Limit(.twill, to: .bufferEvent, 0.70)])

    static let echo64UNIX = Scenario(
        name: "echo-64-unix", socket: .unix, framing: .raw, messageBytes: 64, connections: 64, depth: 1,
        limits: [Limit(.twill, to: .rawEpoll, 1.10)])

    static let echo16k = Scenario(
        name: "echo-16k", framing: .raw, messageBytes: 16_384, connections: 64, depth: 1,
        limits: [Limit(.twill, to: .rawEpoll, 1.10), Limit(.twill, to: .bufferEvent, 0.25)])

    static let echo1m = Scenario(
        name: "echo-1m", framing: .raw, messageBytes: 1_048_576, connections: 4, depth: 1, rawEpollBufferBytes: 262_144,
        limits: [Limit(.twill, to: .rawEpoll, 1.05), Limit(.twill, to: .bufferEvent, 0.15)])

    static let line64 = Scenario(
        name: "line-64", framing: .line, messageBytes: 64, connections: 64, depth: 32,
        servers: Server.standard + [.twillAsync, .twillAsyncBytes, .twillAsyncLent],
        limits: [
            Limit(.twill, to: .rawEpoll, 1.20), Limit(.twill, to: .bufferEvent, 0.60),
            Limit(.twillAsync, to: .twill, 2.00), Limit(.twillAsyncLent, to: .twill, 1.30),
        ])

    static let netstring64 = Scenario(
        name: "netstring-64", framing: .netstring, messageBytes: 64, connections: 64, depth: 32,
        servers: Server.standard + [.twillAsync],
        limits: [Limit(.twill, to: .rawEpoll, 1.25)])

    static let int32String64 = Scenario(
        name: "int32-64", framing: .int32, messageBytes: 64, connections: 64, depth: 32,
        limits: [Limit(.twill, to: .rawEpoll, 1.25)])

    static let all = [echo64, echo64x1000, echo64UNIX, echo16k, echo1m, line64, netstring64, int32String64]
}
