import ArgumentParser
import Logging
import Twill

/// `twill serve`: runs one of the small servers until a signal stops it.
struct ServeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Run a small TCP or UDP server.",
        discussion: """
            The servers:

            \(ServerName.table)

            Examples:

              twill serve echo
              twill serve line-echo --listen tcp:127.0.0.1:8007
              twill serve qotd --listen tcp:0 --listen 'tcp:[::1]:1717'
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
            Where to listen: tcp:PORT for all addresses of this machine, or tcp:HOST:PORT with a literal address, IPv6 in brackets. udp-echo \
            takes udp:PORT and udp:HOST:PORT. Port 0 takes a free port. May be given several times. (default: tcp:8007; for udp-echo \
            udp:127.0.0.1:8007)
            """, valueName: "address"),
        transform: EndpointArgument.serving)
    var listen: [EndpointArgument] = []

    @Flag(help: "Log every connection, and what goes on inside, on standard error.")
    var verbose = false

    func validate() throws {
        let scheme = name.usualEndpoint.scheme
        for endpoint in listen where endpoint.scheme != scheme {
            throw ValidationError(
                "--listen \(endpoint) is none for \(name.rawValue), whose addresses begin with '\(scheme.rawValue):', as in \(scheme.rawValue):8007"
            )
        }
    }

    func run() throws {
        let logger = Logs.start(level: verbose ? .info : .warning)
        let limit = DescriptorLimit.raise()
        let reactor = try LibeventReactor(logger: logger)
        let addresses = try open(on: reactor, logger)
        reactor.callWhenRunning {
            logger.info("serving \(name.rawValue) with at most \(limit) open files")
            for address in addresses {
                Output.say("listening on \(name.usualEndpoint.scheme.rawValue):\(address)")
            }
        }
        try reactor.run()
        logger.info("stopped")
    }

    /// Opens the ports; where they are.
    private func open(on reactor: LibeventReactor, _ logger: Logger) throws -> [Address] {
        let endpoints = listen.isEmpty ? [name.usualEndpoint] : listen
        switch name.handler {
        case .connections(let make):
            let factory = Factory { [name] peer in
                logger.info("\(peer) connected to \(name.rawValue)")
                return make()
            }
            return try endpoints.map { try reactor.listenTCP(port: $0.port, factory: factory, interface: $0.host).address }
        case .datagrams(let make):
            return try endpoints.map {
                try reactor.listenUDP(port: $0.port, protocol: make(), interface: $0.host, maxPacketSize: 65507).host
            }
        }
    }
}
