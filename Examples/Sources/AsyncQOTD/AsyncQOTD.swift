// How do handlers share what they need? This server sends a quote of the day (RFC 865) to everyone who connects, each time the next one.
//
//     swift run AsyncQOTD 8017
//     nc 127.0.0.1 8017

import Twill

/// What the handlers share. It runs on the reactor's thread, as they do, so that asking it takes no other.
actor Quotes {
    private let quotes = ["An apple a day keeps the doctor away.", "Many hands make light work.", "Still waters run deep."]
    private var served = 0
    private let handle: ReactorHandle

    init(on handle: ReactorHandle) {
        self.handle = handle
    }

    nonisolated var unownedExecutor: UnownedSerialExecutor { handle.asUnownedSerialExecutor() }

    func next() -> String {
        defer { served += 1 }
        return quotes[served % quotes.count]
    }
}

@main
struct AsyncQOTD {
    static func main() async throws {
        let port = CommandLine.arguments.dropFirst().first.flatMap(Int.init) ?? 8017
        try await LibeventReactor.run { reactor in
            let quotes = Quotes(on: reactor.handle)
            let server = try reactor.listen("tcp:127.0.0.1:\(port)") { connection in
                try await connection.writeLine(quotes.next())
            }
            print("listening on tcp:\(server.address)")
            try await reactor.waitUntilStopped()
        }
    }
}
