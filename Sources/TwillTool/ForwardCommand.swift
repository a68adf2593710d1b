import ArgumentParser
import Logging
import Twill

/// `twill forward`: forwards a port to another one until a signal stops it.
struct ForwardCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "forward",
        abstract: "Forward connections from one endpoint to another.",
        discussion: """
            Each connection to the one is carried on to the other, in both directions, at the speed of the slower side. When one side says \
            that it will send no more, the other one is told so and may still answer; when one is reset, so is the other.

            Examples:

              twill forward tcp:8000 tcp:127.0.0.1:9000
              twill forward tcp:127.0.0.1:5432 tcp:db.example.com:5432:timeout=5
              twill forward tcp:0:connectionsMax=100 'tcp:[::1]:9000' --verbose
              twill forward tcp:127.0.0.1:5432 unix:/run/postgresql/.s.PGSQL.5432
              twill forward tls:443:cert=server.pem:key=server.key tcp:127.0.0.1:8000

            When the port is open, it prints a line such as

              listening on tcp:127.0.0.1:8000

            and forwards until SIGTERM or SIGINT (Ctrl-C), then ends with status 0. If the port can't be opened, it says why and ends with \
            status 1. Where the target can't be reached, the connection is closed and a line on standard error says why.
            """)

    @Argument(
        help: ArgumentHelp(
            """
            Where to listen: tcp:PORT for all addresses of this machine, tcp:HOST:PORT with a literal address, IPv6 in brackets, or \
            unix:PATH. Port 0 takes a free port. connectionsMax=N limits how many connections are forwarded at once; others wait until one \
            has ended. (default: as many as the limit of open files allows, two for each)
            """, valueName: "listen"),
        transform: streamServer)
    var listen: any StreamServerEndpoint

    @Argument(
        help: ArgumentHelp(
            """
            Where to connect to: tcp:HOST:PORT, an IPv6 host in brackets, or unix:PATH. A name is looked up for each connection. \
            timeout=SECONDS says how long connecting may take. (default: 30)
            """, valueName: "target"),
        transform: streamClient)
    var target: any StreamClientEndpoint

    @Flag(help: "Log every connection, and what goes on inside, on standard error.")
    var verbose = false

    func run() throws {
        let logger = Logs.start(level: verbose ? .info : .warning)
        let limit = DescriptorLimit.raise()
        let reactor = try LibeventReactor(logger: logger)
        let port = try listen.listen(LoggingForwardFactory(to: target, logger: logger), on: reactor)
        // Each connection takes two descriptors, of those that the reactor gives to connections.
        let roomFor = max(1, reactor.connectionsMax / 2)
        if let connectionsMax = port.connectionsMax, connectionsMax > roomFor {
            let cause = "this process may only open \(limit) files, which is enough for \(roomFor)"
            throw ToolFailure("connectionsMax is \(connectionsMax) but \(cause); raise that limit (ulimit -n) or ask for fewer")
        }
        port.connectionsMax = port.connectionsMax ?? roomFor
        reactor.callWhenRunning { [listen, target] in
            logger.info("forwarding to \(target) with at most \(limit) open files")
            Output.say("listening on \(port.address.endpoint(listen.clientScheme))")
        }
        try reactor.run()
        logger.info("stopped")
    }
}

/// Forwards, and logs every connection.
private final class LoggingForwardFactory: PortForwardFactory {
    private let logger: Logger

    init(to target: any StreamClientEndpoint, logger: Logger) {
        self.logger = logger
        super.init(to: target)
    }

    override func buildProtocol(_ address: Address) throws -> Protocol? {
        logger.info("\(address) connected")
        return try super.buildProtocol(address)
    }
}
