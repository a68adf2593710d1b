import Twill
final class Echo: Twill::Protocol {
    override func dataReceived(_ data: Span<UInt8>) { transport.write(data) }
}
let reactor = try LibeventReactor()
let port = try reactor.listenTCP(port: 0, factory: Factory { Echo() }, interface: "127.0.0.1")
print("listening on tcp:\(port.address)")
import Glibc
fflush(nil)
try reactor.run()
