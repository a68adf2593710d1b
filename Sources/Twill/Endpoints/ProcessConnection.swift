import Logging

/// A protocol's connection to a program, around the protocol: it waits with the loss until the program has ended too.
///
/// It holds the program, and the program's protocol holds it, until both have ended.
final class ProcessConnection: ProtocolWrapper {
    private let connector: Connector
    private let grace: Duration
    private var process: ProcessTransport?
    private var end: ProcessEnd?
    private var reason: ConnectionLost?
    private var refusal: (any Error)?
    private var isServed = false
    private var ending: DelayedCall?

    init(_ connector: Connector, grace: Duration) {
        self.connector = connector
        self.grace = grace
        // Nobody hears anything before the factory is asked.
        super.init(wrapping: Protocol())
    }

    /// Starts the program, and serves its input and output.
    func start(_ command: ProcessCommand, errors: ProcessClientEndpoint.Errors) throws {
        let reactor = connector.reactor
        let pipes = try ConnectionPipes(for: command.executable)
        var command = command
        command.descriptors = [0: .inherited(pipes.theirInput), 1: .inherited(pipes.theirOutput)]
        switch errors {
        case .log: command.descriptors[2] = .parentReads
        case .inherit: command.descriptors[2] = .inherited(2)
        case .drop: break
        }
        do {
            process = try reactor.spawnProcess(command, protocol: ConnectedProcess(self, name: command.executable))
        } catch {
            pipes.closeAll()
            throw error
        }
        pipes.closeTheirs()
        var options = command.options
        options.lingerTimeout = grace
        let number = process?.pid.map { " (\($0))" } ?? ""
        let binding = PipeBinding(
            input: pipes.input, output: pipes.output, name: command.executable + number, options: options, drainsInput: true)
        do {
            try reactor.adoptStreamConnection(over: binding, protocol: self)
        } catch {
            try? process?.signalProcess(.kill)
            throw error
        }
    }

    override func connectionMade() throws {
        do {
            guard let made = try connector.buildProtocol(transport.peer, transport: transport) else {
                connector.connectionMade()
                return transport.loseConnection()
            }
            become(made)
        } catch {
            refusal = error
            return transport.abortConnection()
        }
        isServed = true
        defer { connector.connectionMade() }
        try super.connectionMade()
    }

    override func connectionLost(_ reason: ConnectionLost) {
        self.reason = reason
        guard end == nil, let process else { return tellLost() }
        if reason == .aborted {
            try? process.signalProcess(.kill)
        } else {
            ending = process.reactor.callLater(grace) { [weak self, grace] in self?.process?.terminate(killingAfter: grace) }
        }
    }

    fileprivate func processEnded(_ end: ProcessEnd) {
        guard self.end == nil else { return }
        self.end = end
        ending?.cancelIfActive()
        ending = nil
        if reason != nil { tellLost() }
    }

    /// Both have ended.
    private func tellLost() {
        process = nil
        guard let reason = finalReason else { return }
        if let refusal {
            return connector.connectionFailed(.failed.to(connector.destination, because: refusal))
        }
        if isServed {
            do {
                try super.connectionLost(reason)
            } catch {
                connector.reactor.logger.error("\(logPrefix).connectionLost threw: \(error)")
            }
            become(Protocol())
        }
        connector.connectionLost(reason)
    }

    /// The connection's own reason, unless the program's end says more.
    private var finalReason: ConnectionLost? {
        guard let reason else { return nil }
        guard let end, !end.isClean, end.status != .leftRunning, reason == .done || reason == .lost else { return reason }
        return ConnectionLost.lost(end).with(transport.peer)
    }
}

/// The program of a connection: it tells of its end, and logs what it says on standard error.
private final class ConnectedProcess: ProcessProtocol {
    private let connection: ProcessConnection
    private let name: String
    private var lines = ErrorLines()

    init(_ connection: ProcessConnection, name: String) {
        self.connection = connection
        self.name = name
        super.init()
    }

    override var logPrefix: String { name }

    override func errReceived(_ data: Span<UInt8>) {
        lines.take(data) { log($0) }
    }

    override func errConnectionLost() {
        lines.finish { log($0) }
    }

    private func log(_ line: String) {
        transport.reactor.logger.info("\(name): \(line)")
    }

    // Something else may hold its standard error for longer.
    override func processExited(_ end: ProcessEnd) { connection.processEnded(end) }

    override func processEnded(_ end: ProcessEnd) { connection.processEnded(end) }
}

/// Splits what a program says on standard error into lines that are fit for a log.
struct ErrorLines {
    static let lineLengthMax = 16384
    private var line: [UInt8] = []

    mutating func take(_ data: Span<UInt8>, _ log: (String) -> Void) {
        for index in data.indices {
            let byte = data[index]
            if byte != UInt8(ascii: "\n") { line.append(byte) }
            if byte == UInt8(ascii: "\n") || line.count == Self.lineLengthMax { finish(log) }
        }
    }

    /// Ends the line that has begun, if one has.
    mutating func finish(_ log: (String) -> Void) {
        guard !line.isEmpty else { return }
        if line.last == UInt8(ascii: "\r") { line.removeLast() }
        // Control characters would let a program write what looks like other lines of the log.
        let scalars = String(decoding: line, as: UTF8.self).unicodeScalars
        log(scalars.map { $0.properties.generalCategory == .control && $0 != "\t" ? $0.escaped(asASCII: true) : String($0) }.joined())
        line.removeAll(keepingCapacity: true)
    }
}
