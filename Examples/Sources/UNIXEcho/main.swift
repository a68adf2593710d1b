// How do I serve those on this machine alone? An echo on a UNIX socket, which knows who its peers are.
//
//     swift run UNIXEcho /tmp/echo
//     nc -U /tmp/echo

import Twill

final class Echo: Protocol {
    override func dataReceived(_ data: Span<UInt8>) { transport.write(data) }
}

let path = CommandLine.arguments.dropFirst().first ?? "/tmp/twill-echo"
let reactor = try LibeventReactor()
let listening = try reactor.listen(Endpoint("unix:\(path):mode=600"), factory: Factory { Echo() })
print("listening on unix:\(path)")
try reactor.run()
