// How do I send the same to many? A chat: the first line is your name, every other goes to everybody.
//
//     swift run Chat 8007
//     nc 127.0.0.1 8007

import Twill

final class Chat: Factory {
    var members: [Member] = []
    override func buildProtocol(_ address: Address) -> Protocol? { Member(self) }
    /// The bytes are shared by all connections, and copied for none.
    func say(_ text: String) {
        let bytes = SharedBytes(text + "\r\n")
        for member in members { member.transport.write(bytes) }
    }
}

final class Member: LineReceiver {
    private let chat: Chat
    private var name: String?

    init(_ chat: Chat) {
        self.chat = chat
        super.init(delimiter: .any)
    }

    override func connectionMade() { sendLine("What's your name?") }

    override func lineReceived(_ line: Span<UInt8>) throws {
        let text = try String(validating: line)
        if let name { return chat.say("\(name): \(text)") }
        name = text
        chat.members.append(self)
        chat.say("\(text) is here")
    }

    override func connectionLost(_ reason: ConnectionLost) {
        chat.members.removeAll { $0 === self }
        if let name { chat.say("\(name) has left") }
    }
}

let port = CommandLine.arguments.dropFirst().first.flatMap(Int.init) ?? 8007
let reactor = try LibeventReactor()
let listening = try reactor.listenTCP(port: port, factory: Chat(), interface: "127.0.0.1")
print("listening on tcp:\(listening.address)")
try reactor.run()
