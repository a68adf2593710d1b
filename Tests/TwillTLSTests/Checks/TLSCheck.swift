import Twill
import TwillTLS
import TwillTesting

/// What must hold for a TLS connection whatever its peer or the network sends: it is told of its life in order, what it is given is what was sent, and
/// nothing is sent in the clear.
///
/// The first byte of an input says what is done with the others. 0: a server gets them; 1: a client does. Any other: a server and a client talk, and
/// the others, three at a time, say which record is damaged, where, and how; the byte says how the stream is cut.
struct TLSCheck {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    private static let question = Array("a question that must not be seen in the clear".utf8)
    private static let answer = Array("an answer that must not be seen in the clear".utf8)

    private static let server = Result { () throws -> TLSServerContext in
        var options = TLSServerOptions()
        options.handshakesMax = 4
        return try TLSServerContext([TLSIdentity(certificates: Array(certificate.utf8), key: Array(key.utf8))], options: options)
    }
    private static let client = Result { () throws -> TLSClientContext in
        var options = TLSClientOptions()
        options.roots = .pem(Array(certificate.utf8))
        return try TLSClientContext(options: options)
    }

    static func run(_ input: [UInt8]) throws {
        let script = Array(input.dropFirst())
        switch input.first {
        case nil: return
        case 0: try feed(script, isClient: false)
        case 1: try feed(script, isClient: true)
        case .some(let cut): try talk(script, cut: Int(cut) - 1)
        }
    }

    /// One side gets bytes that nobody has made for it.
    private static func feed(_ bytes: [UInt8], isClient: Bool) throws {
        let reactor = SimulatedReactor()
        let side = try Side(isClient: isClient, reactor)
        for piece in [bytes.prefix(7), bytes.dropFirst(7)] where side.end.state == .connected && !piece.isEmpty {
            try side.end.receive(Array(piece))
        }
        try reactor.run(for: .milliseconds(1))
        try side.finish()
        if side.talker.wasMade { throw Failure(description: "a handshake was completed with nobody") }
    }

    /// Two sides talk, with records that are damaged on the way.
    private static func talk(_ script: [UInt8], cut: Int) throws {
        let reactor = SimulatedReactor()
        let server = try Side(isClient: false, reactor)
        let client = try Side(isClient: true, reactor)
        var damages: [Int: [(place: Int, change: UInt8)]] = [:]
        for start in stride(from: 0, to: script.count - 2, by: 3) {
            damages[Int(script[start] % 32), default: []].append((Int(script[start + 1]), script[start + 2]))
        }
        var record = 0
        for _ in 0..<12 {
            try pass(from: client, to: server, damages, &record, cut: cut)
            try pass(from: server, to: client, damages, &record, cut: cut)
            try reactor.run(for: .milliseconds(1))
        }
        try client.finish()
        try server.finish()
        if !Self.question.starts(with: server.talker.received) || !Self.answer.starts(with: client.talker.received) {
            throw Failure(description: "what was delivered is not what was sent")
        }
        if damages.isEmpty, client.talker.received != Self.answer { throw Failure(description: "nothing was damaged, and no answer came") }
    }

    private static func pass(
        from sender: Side, to receiver: Side, _ damages: [Int: [(place: Int, change: UInt8)]], _ record: inout Int, cut: Int
    ) throws {
        var bytes = sender.end.bytes
        sender.end.clear()
        for secret in [question, answer] where bytes.count >= secret.count {
            for start in 0...(bytes.count - secret.count)
            where bytes[start] == secret[0] && bytes[start..<start + secret.count].elementsEqual(secret) {
                throw Failure(description: "something was sent in the clear")
            }
        }
        var start = 0
        while start + 5 <= bytes.count {
            let end = min(bytes.count, start + 5 + Int(bytes[start + 3]) << 8 + Int(bytes[start + 4]))
            for damage in damages[record] ?? [] { bytes[start + damage.place % (end - start)] ^= damage.change }
            record += 1
            start = max(end, start + 5)
        }
        var rest = bytes[...]
        while !rest.isEmpty, receiver.end.state == .connected {
            try receiver.end.receive(Array(rest.prefix(cut)))
            rest = rest.dropFirst(cut)
        }
        // What waited while handshakes had to wait.
        if receiver.end.state == .connected { try receiver.end.receive([]) }
    }

    /// One end of a connection.
    private final class Side {
        let end: StringTransport
        let talker: Talker

        init(isClient: Bool, _ reactor: SimulatedReactor) throws {
            end = StringTransport(reactor: reactor)
            let talker = Talker(isClient: isClient)
            self.talker = talker
            var made: Twill::Protocol?
            // A protocol knows its factory.
            let inside = Factory { [unowned talker] () -> Twill::Protocol in talker }
            if isClient {
                made = try TLSClientFactory(wrapping: inside, context: client.get(), serverName: "localhost").buildProtocol(.unknown)
            } else {
                made = try TLSServerFactory(wrapping: inside, context: server.get()).buildProtocol(.unknown)
            }
            guard let made else { throw Failure(description: "no protocol was made") }
            try end.connect(made)
        }

        /// Ends the connection, and checks the protocol's life.
        func finish() throws {
            if end.state != .disconnected { end.lose() }
            if talker.wasMade != (talker.lossCount == 1) || talker.lossCount > 1 {
                throw Failure(description: "a protocol was made: \(talker.wasMade), and lost \(talker.lossCount) times")
            }
            if talker.breaches > 0 { throw Failure(description: "something came before the connection was made or after it was lost") }
        }
    }

    /// Asks, or answers, and closes.
    private final class Talker: Twill::Protocol {
        private(set) var received: [UInt8] = []
        private(set) var wasMade = false
        private(set) var lossCount = 0
        private(set) var breaches = 0
        private let isClient: Bool

        init(isClient: Bool) {
            self.isClient = isClient
            super.init()
        }

        override func connectionMade() {
            if wasMade { breaches += 1 }
            wasMade = true
            if isClient { transport.write(question) }
        }

        override func dataReceived(_ data: Span<UInt8>) {
            if !wasMade || lossCount > 0 { breaches += 1 }
            for index in data.indices { received.append(data[index]) }
            if isClient, received.count == answer.count { transport.loseConnection() }
            if !isClient, received.count == question.count { transport.write(answer) }
        }

        override func connectionLost(_ reason: ConnectionLost) { lossCount += 1 }
    }

    // For localhost, for a hundred years.
    private static let certificate = """
        -----BEGIN CERTIFICATE-----
        MIIBjDCCATGgAwIBAgIUIUfTrinxWkvj1OpnXni7lo4lhGkwCgYIKoZIzj0EAwIw
        DzENMAsGA1UEAwwEZnV6ejAgFw0yNjExMjEyMzEyMjRaGA8yMTI2MTAyODIzMTIy
        NFowDzENMAsGA1UEAwwEZnV6ejBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABPaF
        uNUMFKi5aDft330/hZWu0YuWhUIt3qReQq1UyZPH7fSuykHFFkcORgLkKAyzHWuw
        sPLCjRNauVjC8a92tBejaTBnMB0GA1UdDgQWBBRMDBUlADRHm205TcKSQUoXs5YE
        4DAfBgNVHSMEGDAWgBRMDBUlADRHm205TcKSQUoXs5YE4DAPBgNVHRMBAf8EBTAD
        AQH/MBQGA1UdEQQNMAuCCWxvY2FsaG9zdDAKBggqhkjOPQQDAgNJADBGAiEAo07L
        cP0wrnaWel6b6bjHCji2iRwh5nDTu4FNdW8etc8CIQDLIbQdhdzoGNduU38QcL7f
        HdQK5btH3n8AB104KH29CA==
        -----END CERTIFICATE-----

        """
    private static let key = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg0DepEusjqZPD5tK1
        Ovdr78iiStglcFeu5d2zvtN4rLehRANCAAT2hbjVDBSouWg37d99P4WVrtGLloVC
        Ld6kXkKtVMmTx+30rspBxRZHDkYC5CgMsx1rsLDywo0TWrlYwvGvdrQX
        -----END PRIVATE KEY-----

        """
}
