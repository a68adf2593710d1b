import ArgumentParser
import Logging
import Twill

/// `twill forward`: forwards a port to another one until a signal stops it.
struct ForwardCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "forward",
        abstract: "Forward a TCP port to another host and port.",
        discussion: """
            Each connection to the one is carried on to the other, in both directions, at the speed of the slower side. When one side says \
            that it will send no more, the other one is told so and may still answer; when one is reset, so is the other.

            Examples:

              twill forward tcp:8000 tcp:127.0.0.1:9000
              twill forward tcp:127.0.0.1:5432 tcp:db.example.com:5432
              twill forward tcp:0 'tcp:[::1]:9000' --connections-max 100 --verbose

            When the port is open, it prints a line such as

              listening on tcp:127.0.0.1:8000

            and forwards until SIGTERM or SIGINT (Ctrl-C), then ends with status 0. If the port can't be opened, it says why and ends with \
            status 1. Where the target can't be reached, the connection is closed and a line on standard error says why.
            """)

    @Argument(
        help: ArgumentHelp(
            """
            Where to listen: tcp:PORT for all addresses of this machine, or tcp:HOST:PORT with a literal address, IPv6 in brackets. Port 0 \
            takes a free port.
            """, valueName: "listen"),
        transform: EndpointArgument.listening)
    var listen: EndpointArgument

    @Argument(
        help: ArgumentHelp(
            "Where to connect to, as tcp:HOST:PORT; an IPv6 host in brackets. A name is looked up for each connection.",
            valueName: "target"),
        transform: EndpointArgument.connecting)
    var target: EndpointArgument

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("How long connecting to the target may take: 10s, 500ms, 1.5m. (default: 30s)", valueName: "time"),
        transform: DurationArgument.init(parsing:))
    var connectTimeout = DurationArgument(.seconds(30))

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            """
            How many connections to forward at once; others wait until one has ended. (default: as many as the limit of open files allows, \
            two for each)
            """, valueName: "n"))
    var connectionsMax: Int?

    @Flag(help: "Log every connection, and what goes on inside, on standard error.")
    var verbose = false

    func validate() throws {
        if let connectionsMax, connectionsMax < 1 {
            throw ValidationError("--connections-max is \(connectionsMax) but must be at least 1")
        }
        guard connectTimeout.duration > .zero else {
            throw ValidationError("--connect-timeout must be longer than zero; write 500ms, say, or leave it out for 30s")
        }
    }

    func run() throws {
        let logger = Logs.start(level: verbose ? .info : .warning)
        let limit = DescriptorLimit.raise()
        let reactor = try LibeventReactor(logger: logger)
        // Each connection takes two descriptors, of those that the reactor gives to connections.
        let roomFor = max(1, reactor.connectionsMax / 2)
        if let connectionsMax, connectionsMax > roomFor {
            let cause = "this process may only open \(limit) files, which is enough for \(roomFor)"
            throw ValidationError("--connections-max is \(connectionsMax) but \(cause); raise that limit (ulimit -n) or ask for fewer")
        }
        let factory = LoggingForwardFactory(
            to: TCPTarget(host: target.host, port: target.port, timeout: connectTimeout.duration), logger: logger)
        let port = try reactor.listenTCP(
            port: listen.port, factory: factory, interface: listen.host, connectionsMax: connectionsMax ?? roomFor)
        reactor.callWhenRunning { [target] in
            logger.info("forwarding to \(target) with at most \(limit) open files")
            Output.say("listening on tcp:\(port.address)")
        }
        try reactor.run()
        logger.info("stopped")
    }
}

/// Forwards, and logs every connection.
private final class LoggingForwardFactory: PortForwardFactory {
    private let logger: Logger

    init(to target: TCPTarget, logger: Logger) {
        self.logger = logger
        super.init(to: target)
    }

    override func buildProtocol(_ address: Address) throws -> Protocol? {
        logger.info("\(address) connected")
        return try super.buildProtocol(address)
    }
}
