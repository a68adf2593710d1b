import ArgumentParser
import Logging
import Twill

/// `twill serve`: runs one of the small servers until a signal stops it.
struct ServeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Run a small server.",
        discussion: """
            The servers:

            \(ServerName.table)

            Examples:

              twill serve echo
              twill serve line-echo --listen tcp:127.0.0.1:8007
              twill serve qotd --listen tcp:0 --listen 'tcp:[::1]:1717'
              twill serve chargen --listen unix:/tmp/chargen:mode=666
              twill serve echo --listen 'haproxy:tcp:9001:trust=10.0.0.0/8'
              twill serve echo --listen tls:8443:cert=server.pem:key=server.key
              twill serve udp-echo --listen udp:127.0.0.1:8007

            When the ports are open, it prints one line for each, such as

              listening on tcp:127.0.0.1:8007

            and serves until SIGTERM or SIGINT (Ctrl-C), then ends with status 0. If a port can't be opened, it says why and ends with \
            status 1.
            """)

    @Argument(
        help: ArgumentHelp("Which server to run; see above.", valueName: "name"),
        transform: ServerName.init(parsing:))
    var name: ServerName

    @Option(
        help: ArgumentHelp(
            """
            Where to listen: tcp:PORT for all addresses of this machine, tcp:HOST:PORT with a literal address, IPv6 in brackets, unix:PATH, \
            systemd:index=0, fd:NUMBER, or stdio: for standard input and output. Port 0 takes a free port. Behind a colon may follow options: backlog=N, connectionsMax=N, \
            reusePort=1, mode=660. tls:PORT and tls:HOST:PORT want cert=FILE:key=FILE. udp-echo takes udp:PORT and udp:HOST:PORT. May be given several times. (default: tcp:8007; for \
            udp-echo udp:127.0.0.1:8007)
            """, valueName: "endpoint"),
        transform: ServedEndpoint.init(parsing:))
    var listen: [ServedEndpoint] = []

    @Flag(help: "Serve each connection by a task, with async and await, instead of callbacks: echo, line-echo, netstring-echo and discard.")
    var tasks = false

    @Flag(help: "Log every connection, and what goes on inside, on standard error.")
    var verbose = false

    func validate() throws {
        if tasks, name.task == nil {
            throw ValidationError("--tasks is none for \(name.rawValue); choose echo, line-echo, netstring-echo or discard")
        }
        for endpoint in listen {
            switch (name.handler, endpoint) {
            case (.connections, .stream), (.datagrams, .datagrams): break
            case (.connections, .datagrams(let binding)):
                throw ValidationError("--listen udp:\(binding.port) is none for \(name.rawValue), which serves connections, as in tcp:8007")
            case (.datagrams, .stream(let endpoint)):
                throw ValidationError("--listen \(endpoint) is none for \(name.rawValue), which serves datagrams, as in udp:8007")
            }
        }
    }

    func run() throws {
        let logger = Logs.start(level: verbose ? .info : .warning)
        let limit = DescriptorLimit.raise()
        let reactor = try LibeventReactor(logger: logger)
        let places = try open(on: reactor, logger)
        reactor.callWhenRunning {
            logger.info("serving \(name.rawValue) with at most \(limit) open files")
            for place in places {
                Output.say("listening on \(place)")
            }
        }
        try reactor.run()
        logger.info("stopped")
    }

    /// Opens the ports; where clients reach them, but for standard input and output, on which no word of this program's belongs.
    private func open(on reactor: LibeventReactor, _ logger: Logger) throws -> [String] {
        let logged = Factory { [name] peer in
            guard case .connections(let make) = name.handler else { return nil }
            logger.info("\(peer) connected to \(name.rawValue)")
            return make()
        }
        return try (listen.isEmpty ? [name.usualEndpoint] : listen).compactMap { endpoint in
            switch endpoint {
            case .stream(let endpoint as StandardIOEndpoint):
                try endpoint.listen(StopAtEndFactory(wrapping: logged), on: reactor)
                return nil
            case .stream(let endpoint) where tasks:
                guard let task = name.task else { return nil }
                return try reactor.listen(endpoint, handler: task).address.endpoint(endpoint.clientScheme)
            case .stream(let endpoint): return try endpoint.listen(logged, on: reactor).address.endpoint(endpoint.clientScheme)
            case .datagrams(let binding):
                guard case .datagrams(let make) = name.handler else { return "" }
                return try reactor.listenUDP(on: binding, protocol: make()).host.endpoint("udp")
            }
        }
    }
}

/// Serves the one connection of standard input and output, and stops the program with it.
private final class StopAtEndFactory: WrappingFactory {
    override func wrap(_ handler: Protocol) -> ProtocolWrapper { StopAtEnd(wrapping: handler) }
}

private final class StopAtEnd: ProtocolWrapper {
    override func connectionLost(_ reason: ConnectionLost) throws {
        transport.reactor.stop()
        try super.connectionLost(reason)
    }
}
