// How do I greet and hang up? This server sends a quote of the day (RFC 865) to everyone who connects.
//
//     swift run QOTD 8017
//     nc 127.0.0.1 8017

import Twill

final class Quotes: Factory {
    private let quotes = ["An apple a day keeps the doctor away.", "Many hands make light work.", "Still waters run deep."]
    private var served = 0

    override func buildProtocol(_ address: Address) -> Protocol? {
        defer { served += 1 }
        return QOTD(quotes[served % quotes.count])
    }
}

final class QOTD: Protocol {
    private let quote: String

    init(_ quote: String) {
        self.quote = quote
    }

    override func connectionMade() {
        transport.write("\(quote)\r\n")
        transport.loseConnection()
    }
}

let port = CommandLine.arguments.dropFirst().first.flatMap(Int.init) ?? 8017
let reactor = try LibeventReactor()
let listening = try reactor.listenTCP(port: port, factory: Quotes(), interface: "127.0.0.1")
print("listening on tcp:\(listening.address)")
try reactor.run()
