// How do I write a server that speaks TLS? This one sends back whatever it gets.
//
//     openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout server.key -out server.pem -subj /CN=localhost
//     swift run TLSEcho 4433 server.pem server.key
//     openssl s_client -connect 127.0.0.1:4433 -quiet

import Twill
import TwillTLS

final class Echo: Protocol {
    override func connectionMade() {
        if let tls = transport.tls { print("\(transport.peer) speaks \(tls.version)") }
    }

    override func dataReceived(_ data: Span<UInt8>) {
        transport.write(data)
    }
}

let arguments = CommandLine.arguments.dropFirst()
let port = arguments.first.flatMap(Int.init) ?? 4433
let context = try TLSServerContext(
    certificateFile: arguments.dropFirst().first ?? "server.pem", keyFile: arguments.dropFirst(2).first ?? "server.key")
let reactor = try LibeventReactor()
let factory = TLSServerFactory(wrapping: Factory { Echo() }, context: context)
let listening = try reactor.listenTCP(port: port, factory: factory, interface: "127.0.0.1")
print("listening on tcp:\(listening.address)")
try reactor.run()
