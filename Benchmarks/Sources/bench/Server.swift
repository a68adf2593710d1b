import ArgumentParser
import Foundation

/// The servers that are compared, and how each is started.
enum Server: String, CaseIterable, Codable, ExpressibleByArgument {
    /// The floor: as little as Linux allows.
    case rawEpoll = "raw-epoll"
    /// What most programs on libevent do today.
    case bufferEvent = "textbook-bufferevent"
    /// Twill by callbacks: `twill serve`.
    case twill = "twill"
    /// Twill by tasks, which get what arrives as `String` or arrays of bytes.
    case twillAsync = "twill-async"
    /// The same with lines as bytes instead of `String`.
    case twillAsyncBytes = "twill-async-bytes"
    /// Twill by tasks to which what arrives is lent.
    case twillAsyncLent = "twill-async-lent"
    /// SwiftNIO by a `ChannelHandler`.
    case swiftNIO = "swift-nio"
    /// SwiftNIO by tasks: a `NIOAsyncChannel` for each connection.
    case swiftNIOAsync = "swift-nio-async"

    /// Those that every measurement has.
    static let standard: [Server] = [.rawEpoll, .bufferEvent, .twill]

    var name: String { rawValue }

    /// What a column of ratios to it is headed by.
    var heading: String { self == .bufferEvent ? "vs bufferevent" : "vs \(rawValue)" }

    /// What it is, in a few words.
    var summary: String {
        switch self {
        case .rawEpoll: "C: as little as Linux allows"
        case .bufferEvent: "C: a bufferevent for each connection, on libevent"
        case .twill: "Twill by callbacks: `twill serve`"
        case .twillAsync: "Twill by tasks: `for try await`, lines as String"
        case .twillAsyncBytes: "Twill by tasks: lines as arrays of bytes"
        case .twillAsyncLent: "Twill by tasks: forEachChunk and forEachLine"
        case .swiftNIO: "SwiftNIO by a ChannelHandler, one event loop"
        case .swiftNIOAsync: "SwiftNIO by tasks: NIOAsyncChannel, one event loop"
        }
    }

    /// Those that its figures are held against.
    var references: [Server] {
        switch self {
        case .rawEpoll: []
        case .bufferEvent: [.rawEpoll]
        case .twill: [.rawEpoll, .bufferEvent]
        case .twillAsync, .twillAsyncBytes, .twillAsyncLent, .swiftNIO, .swiftNIOAsync: [.rawEpoll, .bufferEvent, .twill]
        }
    }

    /// The file of its program.
    var program: String {
        switch self {
        case .rawEpoll, .bufferEvent, .twill: rawValue
        case .twillAsync, .twillAsyncBytes, .twillAsyncLent: "twill-async"
        case .swiftNIO, .swiftNIOAsync: "swift-nio-echo"
        }
    }

    /// The program and its arguments, for a server that listens on a free port of 127.0.0.1 or on a UNIX socket of bench's own.
    func command(for scenario: Scenario, programs: Programs) throws -> [String] {
        // A name outside of the file system goes with its server.
        let name = "@bench-\(ProcessInfo.processInfo.processIdentifier)-\(rawValue)"
        let place = scenario.socket == .tcp ? ["--port", "0"] : ["--path", name]
        let endpoint = ["--listen", scenario.socket == .tcp ? "tcp:127.0.0.1:0" : "unix:\(name)"]
        let mode = scenario.framing.mode
        let arguments =
            switch self {
            case .rawEpoll: [mode, "--buffer", String(scenario.rawEpollBufferBytes)] + place
            case .bufferEvent: [mode] + place
            case .twill: ["serve", scenario.framing.twillServer] + endpoint
            case .twillAsync: [mode] + endpoint
            case .twillAsyncBytes: ["\(mode)-bytes"] + endpoint
            case .twillAsyncLent: ["\(mode)-lent"] + endpoint
            case .swiftNIO: ["handler", "--port", "0"]
            case .swiftNIOAsync: ["async", "--port", "0"]
            }
        return [try programs.path(of: self)] + arguments
    }
}
