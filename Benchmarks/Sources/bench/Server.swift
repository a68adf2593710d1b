import Foundation

/// The three servers that are compared, and how each is started.
enum Server: String, CaseIterable, Codable {
    /// The floor: as little as Linux allows.
    case rawEpoll = "raw-epoll"
    /// What most programs on libevent do today.
    case bufferEvent = "textbook-bufferevent"
    /// What is judged.
    case twill = "twill"

    /// Those that Twill is measured against.
    static let peers: [Server] = [.rawEpoll, .bufferEvent]

    var name: String { rawValue }

    /// The program and its arguments, for a server that listens on a free port of 127.0.0.1 or on a UNIX socket of bench's own.
    func command(for scenario: Scenario, programs: Programs) -> [String] {
        // A name outside of the file system goes with its server.
        let name = "@bench-\(ProcessInfo.processInfo.processIdentifier)-\(rawValue)"
        let place = scenario.socket == .tcp ? ["--port", "0"] : ["--path", name]
        switch self {
        case .rawEpoll:
            let buffer = String(scenario.rawEpollBufferBytes)
            return [programs.rawEpoll, scenario.framing.peerMode, "--buffer", buffer] + place
        case .bufferEvent:
            return [programs.bufferEvent, scenario.framing.peerMode] + place
        case .twill:
            let endpoint = scenario.socket == .tcp ? "tcp:127.0.0.1:0" : "unix:\(name)"
            return [programs.twill, "serve", scenario.framing.twillServer, "--listen", endpoint]
        }
    }
}

/// A figure of each server.
struct ByServer<Value> {
    var rawEpoll: Value
    var bufferEvent: Value
    var twill: Value

    /// Measures the servers one after another, in the order they are listed.
    init(_ measure: (Server) throws -> Value) rethrows {
        rawEpoll = try measure(.rawEpoll)
        bufferEvent = try measure(.bufferEvent)
        twill = try measure(.twill)
    }

    subscript(server: Server) -> Value {
        get {
            switch server {
            case .rawEpoll: rawEpoll
            case .bufferEvent: bufferEvent
            case .twill: twill
            }
        }
        set {
            switch server {
            case .rawEpoll: rawEpoll = newValue
            case .bufferEvent: bufferEvent = newValue
            case .twill: twill = newValue
            }
        }
    }
}
