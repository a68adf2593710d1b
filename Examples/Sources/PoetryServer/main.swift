// A slow poetry server: it sends a poem a few bytes at a time.
//
//     swift run PoetryServer poem.txt 10000 --bytes 10 --every 100
//     nc 127.0.0.1 10000

import Foundation
import Twill

final class Poems: Factory {
    let poem: [UInt8]
    let bytesAtATime: Int
    let pause: Duration

    init(poem: [UInt8], bytesAtATime: Int, pause: Duration) {
        self.poem = poem
        self.bytesAtATime = bytesAtATime
        self.pause = pause
        super.init()
    }

    override func buildProtocol(_ address: Address) -> Protocol? { Reciter(self) }
}

final class Reciter: Protocol {
    private let poems: Poems
    private var rest: ArraySlice<UInt8>

    init(_ poems: Poems) {
        self.poems = poems
        rest = poems.poem[...]
        super.init()
    }

    override func connectionMade() { recite() }

    private func recite() {
        guard !rest.isEmpty else { return transport.loseConnection() }
        transport.write(Array(rest.prefix(poems.bytesAtATime)))
        rest = rest.dropFirst(poems.bytesAtATime)
        // A connection's own call: it goes with the connection.
        transport.callLater(poems.pause) { [unowned self] in recite() }
    }
}

/// The number behind an option.
func option(_ name: String, default number: Int) -> Int {
    guard let index = CommandLine.arguments.firstIndex(of: name), index + 1 < CommandLine.arguments.count else { return number }
    return Int(CommandLine.arguments[index + 1]) ?? number
}

let arguments = CommandLine.arguments
guard arguments.count > 2, let port = Int(arguments[2]), let poem = FileManager.default.contents(atPath: arguments[1]) else {
    print("usage: PoetryServer FILE PORT [--bytes N] [--every MILLISECONDS]")
    exit(64)
}
let poems = Poems(
    poem: Array(poem), bytesAtATime: max(1, option("--bytes", default: 10)), pause: .milliseconds(option("--every", default: 100)))
let reactor = try LibeventReactor()
let listening = try reactor.listenTCP(port: port, factory: poems, interface: "127.0.0.1")
print("listening on tcp:\(listening.address)")
try reactor.run()
