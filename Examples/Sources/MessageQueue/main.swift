// How do I send what was written before the connection was there? The factory keeps messages until a client is ready for them.
//
//     swift run EchoServer 8007
//     swift run MessageQueue 8007 one two three

import Twill

final class Messages: ClientFactory {
    private var waiting: [String] = []
    private var client: MessageClient?

    override func buildProtocol(_ address: Address) -> Protocol? { MessageClient(self) }

    /// Sends a message, now or when somebody can.
    func send(_ message: String) {
        if let client { client.sendLine(message) } else { waiting.append(message) }
    }

    func clientReady(_ client: MessageClient) {
        self.client = client
        for message in waiting { client.sendLine(message) }
        waiting = []
    }

    override func clientConnectionFailed(_ connector: Connector, _ reason: ConnectError) {
        print(reason)
        connector.reactor.stop()
    }

    override func clientConnectionLost(_ connector: Connector, _ reason: ConnectionLost) {
        client = nil
        connector.reactor.stop()
    }
}

final class MessageClient: LineReceiver {
    private let messages: Messages

    init(_ messages: Messages) {
        self.messages = messages
        super.init()
    }

    override func connectionMade() { messages.clientReady(self) }

    override func lineReceived(_ line: Span<UInt8>) {
        let text = String(repairing: line)
        print("echoed: \(text)")
        if text == "end" { transport.loseConnection() }
    }
}

let port = CommandLine.arguments.dropFirst().first.flatMap(Int.init) ?? 8007
let messages = Messages()
for message in CommandLine.arguments.dropFirst(2) { messages.send(message) }
messages.send("end")

let reactor = try LibeventReactor()
try reactor.connectTCP(host: "127.0.0.1", port: port, factory: messages)
try reactor.run()
