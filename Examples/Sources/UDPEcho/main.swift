// How do I serve datagrams? Each one goes back to where it came from.
//
//     swift run UDPEcho 8007
//     nc -u 127.0.0.1 8007

import Twill

final class Echo: DatagramProtocol {
    override func datagramReceived(_ data: Span<UInt8>, from sender: Address) throws {
        print("\(data.count) bytes from \(sender.host)")
        try transport.write(data, to: sender)
    }
}

let port = CommandLine.arguments.dropFirst().first.flatMap(Int.init) ?? 8007
let reactor = try LibeventReactor()
let listening = try reactor.listenUDP(port: port, protocol: Echo(), interface: "127.0.0.1")
print("listening on udp:\(listening.host)")
try reactor.run()
