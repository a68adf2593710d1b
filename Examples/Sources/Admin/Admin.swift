// How do I run a server and a client as services of one program, in the foreground or as a daemon? This one is asked for news by lines,
// on one port, and asks another server for them, to which it stays connected.
//
//     swift run EchoServer 8007                                     # somebody to be connected to
//     swift run Admin --port 8023 --news tcp:127.0.0.1:8007
//     nc 127.0.0.1 8023
//
// Behind `--daemon` it goes into the background; `--help` tells the rest.

import ArgumentParser
import Twill
import TwillServices

@main struct Admin: Application {
    @Option(help: "The port for administrators.") var port = 8023
    @Option(help: "Where the news come from.") var news = "tcp:127.0.0.1:8007"
    @Option(help: "How many administrators may be connected at once.") var connectionsMax = 2

    func addServices(to services: MultiService) throws {
        let newspaper = ClientService(try clientFromString(news), factory: Factory { Reader() }, name: "news")
        let desk = Factory { Desk(newspaper) }
        let limited = LimitTotalConnectionsFactory(wrapping: desk, connectionsMax: connectionsMax) { Turnstile() }
        try services.add(TCPServer(port: port, factory: limited, interface: "127.0.0.1", name: "desk"))
        try services.add(newspaper)
    }
}

/// What an administrator talks to.
final class Desk: LineReceiver {
    private let newspaper: ClientService

    init(_ newspaper: ClientService) {
        self.newspaper = newspaper
        super.init(delimiter: .any)
    }

    override func connectionMade() {
        sendLine("welcome: news TEXT, state, bye")
    }

    override func lineReceived(_ line: Span<UInt8>) throws {
        let words = try String(validating: line).split(separator: " ", maxSplits: 1)
        switch words.first {
        case "bye": transport.loseConnection()
        case "state": sendLine("news: \(newspaper.connectivity)")
        case "news":
            newspaper.whenConnected(failAfterFailures: 1)
                .addCallback { handler -> Deferred<String> in
                    (handler as? Reader)?.ask("\(words.last ?? "")") ?? .succeed("nobody reads it")
                }
                .addBoth { [weak self] result in self?.tell(result) }
        default: sendLine("what is that?")
        }
    }

    private func tell(_ result: Result<String, any Error>) {
        switch result {
        case .success(let text): sendLine("news: \(text)")
        case .failure(let error): sendLine("no news: \(error)")
        }
    }

    override func drainRequested(deadline: ReactorClock.Instant) { sendLine("goodbye") }
}

/// Asks the other server, one line for each question.
final class Reader: LineReceiver {
    private var questions: [Deferred<String>] = []

    func ask(_ text: String) -> Deferred<String> {
        let answer = Deferred<String>()
        questions.append(answer)
        sendLine(text)
        return answer
    }

    override func lineReceived(_ line: Span<UInt8>) throws {
        if !questions.isEmpty { try questions.removeFirst().succeed(String(validating: line)) }
    }

    override func connectionLost(_ reason: ConnectionLost) throws {
        for answer in questions { try answer.fail(reason) }
        questions = []
    }
}

/// What one too many hears.
final class Turnstile: Protocol {
    override func connectionMade() {
        transport.write("too many administrators, try again later\r\n")
        transport.loseConnection()
    }
}
