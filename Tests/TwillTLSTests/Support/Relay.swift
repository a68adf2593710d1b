@testable import Twill
@testable import TwillTLS
@testable import TwillTesting

/// Two ends of TLS without a network: what one writes is handed to the other in chunks of any size, and a record of it can be damaged on the way.
///
/// The client says hello, the server answers, the client closes.
final class Relay {
    let server = Recorder()
    let client = Recorder()
    private(set) var hasBroken = false

    /// - Parameter breaksRecord: which of the client's records gets another last byte, from 0; nil for none.
    init(version: TLSVersion, chunk: Int, breaksRecord: Int? = nil) throws {
        server.whenData = { if $0.text == "hello" { $0.transport.write("hello, too") } }
        client.whenMade = { $0.transport.write("hello") }
        client.whenData = { if $0.text == "hello, too" { $0.transport.loseConnection() } }
        let reactor = SimulatedReactor()
        let (serverEnd, clientEnd) = (StringTransport(reactor: reactor), StringTransport(reactor: reactor))
        let serverFactory = TLSServerFactory(wrapping: Factory { [unowned server] _ in server }, context: try .test())
        let clientFactory = TLSClientFactory(
            wrapping: Factory { [unowned client] _ in client }, context: try .testLimited(to: version), serverName: "localhost")
        guard let serverSide = try serverFactory.protocolForConnection(from: .unknown),
            let clientSide = try clientFactory.protocolForConnection(from: .unknown)
        else { return }
        try serverEnd.connect(serverSide)
        try clientEnd.connect(clientSide)
        var number = 0
        for _ in 0..<40 {
            var toServer = clientEnd.bytes
            clientEnd.clear()
            // Records one by one, to find the one that is to be damaged.
            var start = 0
            while start + 5 <= toServer.count {
                let end = start + 5 + Int(toServer[start + 3]) << 8 + Int(toServer[start + 4])
                if number == breaksRecord {
                    toServer[end - 1] ^= 1
                    hasBroken = true
                }
                number += 1
                start = end
            }
            try Self.pass(toServer, to: serverEnd, chunk)
            let toClient = serverEnd.bytes
            serverEnd.clear()
            try Self.pass(toClient, to: clientEnd, chunk)
            try reactor.run(for: .milliseconds(1))
            // What waited while handshakes had to wait.
            for end in [serverEnd, clientEnd] where end.state == .connected { try end.receive([]) }
        }
        if serverEnd.state != .disconnected { serverEnd.lose() }
        if clientEnd.state != .disconnected { clientEnd.lose() }
    }

    private static func pass(_ bytes: [UInt8], to end: StringTransport, _ chunk: Int) throws {
        var rest = bytes[...]
        while !rest.isEmpty, end.state == .connected {
            try end.receive(Array(rest.prefix(chunk)))
            rest = rest.dropFirst(chunk)
        }
    }
}
