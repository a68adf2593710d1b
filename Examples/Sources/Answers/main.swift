// How do I answer lines? This server looks each of them up in a table.
//
//     swift run Answers 8007
//     nc -C 127.0.0.1 8007

import Twill

final class Answers: LineReceiver {
    private static let table = ["How are you?": "Fine", "What time is it?": "Time to learn Twill", "Bye": "Goodbye"]

    override func lineReceived(_ line: Span<UInt8>) throws {
        let question = try String(validating: line)
        sendLine(Self.table[question] ?? "I don't know what you mean")
        if question == "Bye" { transport.loseConnection() }
    }
}

let port = CommandLine.arguments.dropFirst().first.flatMap(Int.init) ?? 8007
let reactor = try LibeventReactor()
let listening = try reactor.listenTCP(port: port, factory: Factory { Answers(delimiter: .any) }, interface: "127.0.0.1")
print("listening on tcp:\(listening.address)")
try reactor.run()
