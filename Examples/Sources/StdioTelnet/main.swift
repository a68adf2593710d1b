// How do I join the terminal with a connection? What you type goes to the server, and what it says is printed.
//
//     swift run Answers 8007
//     swift run StdioTelnet tcp:127.0.0.1:8007

import Twill

/// One of two connections that pass on to the other what they receive, no faster than it takes it.
class Side: Protocol {
    var other: Side?
    override func dataReceived(_ data: Span<UInt8>) { other?.transport.write(data) }
    override func connectionLost(_ reason: ConnectionLost) {
        other?.transport.loseConnection()
        other = nil
    }
}

final class Terminal: Side, HalfCloseableProtocol {
    /// No more is typed: the server hears so, and may finish its answers.
    func readConnectionLost() { other?.transport.loseWriteConnection() }
    func writeConnectionLost() {}
    /// What the server has said is printed by now.
    override func connectionLost(_ reason: ConnectionLost) {
        let reactor = transport.reactor
        super.connectionLost(reason)
        reactor.stop()
    }
}

let reactor = try LibeventReactor()
let terminal = Terminal()
try clientFromString(CommandLine.arguments.dropFirst().first ?? "tcp:127.0.0.1:8007").connectProtocol(Side(), on: reactor)
    .addCallback { server -> Void in
        (server.other, terminal.other) = (terminal, server)
        try reactor.serveStandardIO(with: terminal)
        try terminal.transport.registerProducer(server.transport, streaming: true)
        try server.transport.registerProducer(terminal.transport, streaming: true)
    }
    .addErrback { error -> Void in
        print(error)
        reactor.stop()
    }
try reactor.run()
