// How do I put something in front of a server? Every connection to this port goes on to another one, back-pressure and ends included.
//
//     swift run EchoServer 8007
//     swift run PortForward 8008 127.0.0.1 8007

import Twill

let arguments = CommandLine.arguments
let port = arguments.dropFirst().first.flatMap(Int.init) ?? 8008
let host = arguments.count > 2 ? arguments[2] : "127.0.0.1"
let target = arguments.count > 3 ? Int(arguments[3]) ?? 8007 : 8007

let reactor = try LibeventReactor()
let listening = try reactor.listenTCP(port: port, factory: PortForwardFactory(host: host, port: target), interface: "127.0.0.1")
print("listening on tcp:\(listening.address)")
try reactor.run()
