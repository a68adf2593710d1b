// How do I get rid of a peer that does not read? loseConnection waits until everything is sent; abortConnection does not wait.
//
//     swift run AbortStalled 8007
//     sleep 60 | nc 127.0.0.1 8007 | sleep 60

import Twill

final class Flood: Protocol {
    override func connectionMade() {
        transport.write([UInt8](repeating: UInt8(ascii: "x"), count: 8 << 20))
        transport.loseConnection()
        transport.callLater(.seconds(1)) { [unowned self] in
            print("\(transport.bufferedByteCount > 0 ? "some" : "no") bytes are unsent after a second")
            transport.abortConnection()
        }
    }

    override func connectionLost(_ reason: ConnectionLost) {
        print(reason == .aborted ? "aborted" : "closed")
    }
}

let port = CommandLine.arguments.dropFirst().first.flatMap(Int.init) ?? 8007
let reactor = try LibeventReactor()
let listening = try reactor.listenTCP(port: port, factory: Factory { Flood() }, interface: "127.0.0.1")
print("listening on tcp:\(listening.address)")
try reactor.run()
