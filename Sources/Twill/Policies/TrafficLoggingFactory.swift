public import Logging

/// Logs what the connections of a factory receive and send, one line for each read and each write.
///
/// ```
/// C 1: "GET / HTTP/1.1\r\n"
/// S 1: "HTTP/1.1 200 OK\r\nContent-Le" and 1042 bytes more
/// ```
///
/// `C` is what the peer said and `S` what this side wrote, as in Twisted; the number counts the factory's connections. Whatever the bytes,
/// a line is a single line of printable ASCII.
///
/// ```swift
/// let logged = TrafficLoggingFactory(wrapping: Factory { Echo() }, lengthMax: 80) { print($0) }
/// ```
///
/// Passwords are logged like everything else. A write that is dropped because the connection is closing is not logged.
///
/// Twisted: `TrafficLoggingFactory`, which writes a file for each connection.
public class TrafficLoggingFactory: WrappingFactory {
    private let lengthMax: Int?
    private let level: Logger.Level
    private let sink: ((String) -> Void)?
    private var connectionsMade = 0

    /// Logs a factory's traffic.
    ///
    /// - Parameters:
    ///   - wrapped: the factory.
    ///   - lengthMax: how many bytes a line shows; of longer ones it tells the number. nil for no limit.
    ///   - level: what level the lines have in the reactor's logger. Where that does not log it, they are not even made.
    ///   - sink: called with each line, without a line end, instead of the logger.
    public init(wrapping wrapped: Factory, lengthMax: Int? = 1000, level: Logger.Level = .debug, sink: ((String) -> Void)? = nil) {
        self.lengthMax = lengthMax
        self.level = level
        self.sink = sink
        super.init(wrapping: wrapped)
    }

    public override func wrap(_ handler: Protocol) -> ProtocolWrapper {
        connectionsMade += 1
        return TrafficLoggingProtocol(
            wrapping: handler, log: TrafficLog(number: connectionsMade, lengthMax: lengthMax, level: level, sink: sink))
    }
}

/// Where the traffic of one connection goes.
private struct TrafficLog {
    let number: Int
    let lengthMax: Int?
    let level: Logger.Level
    let sink: ((String) -> Void)?

    /// Logs a line, unless nobody would see it.
    func note(_ side: Character, on transport: Transport, _ add: (inout TrafficLine) -> Void) {
        let logger = sink == nil ? transport.reactor.logger : nil
        if let logger, logger.logLevel > level { return }
        var line = TrafficLine("\(side) \(number)", lengthMax: lengthMax)
        add(&line)
        if let sink { sink(line.text) }
        logger?.log(level: level, "\(line.text)", metadata: ["peer": "\(transport.peer)"])
    }
}

private final class TrafficLoggingProtocol: ProtocolWrapper {
    private let log: TrafficLog

    init(wrapping wrapped: Protocol, log: TrafficLog) {
        self.log = log
        super.init(wrapping: wrapped)
    }

    override func connectionMade() throws {
        try wrapped.makeConnection(LoggingTransport(over: transport, log: log))
    }

    override func dataReceived(_ data: Span<UInt8>) throws {
        log.note("C", on: transport) { $0.add(data) }
        try super.dataReceived(data)
    }
}

private final class LoggingTransport: TransportWrapper {
    private let log: TrafficLog

    init(over inner: Transport, log: TrafficLog) {
        self.log = log
        super.init(over: inner)
    }

    override func write(_ data: Span<UInt8>) {
        if takesOutput, !data.isEmpty { log.note("S", on: inner) { $0.add(data) } }
        super.write(data)
    }

    override func write(_ shared: SharedBytes) {
        if takesOutput, shared.count > 0 { log.note("S", on: inner) { line in shared.withSpan { line.add($0) } } }
        super.write(shared)
    }

    override func writeFrame(prefix: FrameEdge, body: Span<UInt8>, suffix: FrameEdge) {
        if takesOutput {
            log.note("S", on: inner) {
                $0.add(prefix.bytes.span)
                $0.add(body)
                $0.add(suffix.bytes.span)
            }
        }
        super.writeFrame(prefix: prefix, body: body, suffix: suffix)
    }
}
