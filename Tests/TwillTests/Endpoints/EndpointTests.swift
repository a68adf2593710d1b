import Synchronization
import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

@Suite("Endpoints", .nothingLivesOn)
struct EndpointTests {
    @Test(
        "what is written again is what was meant",
        arguments: [
            ("tcp:80", "tcp:80"), ("tcp:port=80", "tcp:80"), ("TCP:127.0.0.1:0", "tcp:127.0.0.1:0"),
            ("tcp:80:interface=127.0.0.1", "tcp:127.0.0.1:80"), ("tcp:[::1]:80", "tcp:[::1]:80"), (#"tcp:\:\:1:80"#, "tcp:[::1]:80"),
            ("tcp:80:backlog=5:reusePort=yes:connectionsMax=7", "tcp:80:backlog=5:reusePort=1:connectionsMax=7"),
            ("tcp6:80", "tcp:[::]:80"), ("tcp6:80:interface=[::1]", "tcp:[::1]:80"), ("unix:/tmp/x", "unix:/tmp/x"),
            (#"unix:/tmp/a\:b:mode=660:lockfile=0"#, #"unix:/tmp/a\:b:mode=660:lockfile=0"#), ("unix:@name", "unix:@name"),
            ("fd:3", "fd:3"), ("haproxy:tcp:80:trust=10.0.0.0/8", "haproxy:tcp:80:trust=[10.0.0.0/8]"),
            (
                #"haproxy:unix:/tmp/a\:b:mode=660:trust=unix:headerTimeout=5"#,
                #"haproxy:unix:/tmp/a\:b:mode=660:trust=[unix]:headerTimeout=5"#
            ),
            ("HAProxy:TCP:[::1]:80:trust=[fd00::/8, 192.0.2.7]", "haproxy:tcp:[::1]:80:trust=[fd00::/8,192.0.2.7/32]"),
            ("haproxy:trust=:tcp:80:backlog=5", "haproxy:tcp:80:backlog=5:trust=[]"),
        ])
    func serversAreWrittenAgain(_ text: String, _ expected: String) throws {
        let endpoint = try serverFromString(text)
        #expect(endpoint.description == expected)
        #expect(try serverFromString(endpoint.description).description == expected)
    }

    @Test(
        arguments: [
            ("tcp:h:80", "tcp:h:80"), ("tcp:host=h:port=80", "tcp:h:80"), ("tcp:[::1]:80", "tcp:[::1]:80"),
            ("Tcp:host=[::1]:port=80", "tcp:[::1]:80"),
            ("tcp:h:80:timeout=5:bindAddress=1.2.3.4", "tcp:h:80:timeout=5:bindAddress=1.2.3.4"),
            ("tcp:h:80:timeout=0.5", "tcp:h:80:timeout=0.5"), ("tcp:h:80:timeout=07.250", "tcp:h:80:timeout=7.25"),
            ("tcp:h:80:timeout=0.003995212962014982", "tcp:h:80:timeout=0.003995212962014982"),
            ("tcp:h:80:timeout=999999999.000000001", "tcp:h:80:timeout=999999999.000000001"),
            ("tcp:h:80:timeout=30", "tcp:h:80"), ("unix:/tmp/x:timeout=2", "unix:/tmp/x:timeout=2"), ("unix:path=/tmp/x", "unix:/tmp/x"),
        ])
    func clientsAreWrittenAgain(_ text: String, _ expected: String) throws {
        let endpoint = try clientFromString(text)
        #expect(endpoint.description == expected)
        #expect(try clientFromString(endpoint.description).description == expected)
    }

    @Test(
        arguments: [
            ("tcp", "", 3), ("tcp:", "", 4), ("tcp:abc", "abc", 4), ("tcp:80:foo=1", "foo", 7), (#"tcp:80:\f\oo=\1"#, "foo", 7),
            ("nope:1", "nope", 0), ("", "", 0),
            (":", "", 0),
            ("tcp::x", "x", 5), ("tcp::80", "80", 5), ("tcp:65536", "65536", 4), ("tcp:-1", "-1", 4), ("tcp:+1", "+1", 4),
            ("tcp:1:2:3", "3", 8),
            ("tcp:h:80", "h", 4), ("tcp:80:interface=example.com", "example.com", 17), ("tcp:80:backlog=0", "0", 15),
            ("tcp:80:port=80", "80", 4),
            ("tcp:127.0.0.1:80:interface=::", "", 0), ("tcp:80:reusePort=maybe", "maybe", 17),
            ("tcp6:80:interface=127.0.0.1", "127.0.0.1", 18),
            ("unix", "", 4), ("unix:", "", 5), ("unix:/x:mode=888", "888", 13), ("unix:/x:mode=1777", "1777", 13),
            ("unix:/x:lockfile=2", "2", 17),
            ("fd:x", "x", 3), ("fd", "", 2), ("systemd:domain=INET", "", 19), ("systemd:index=0:name=a", "a", 21),
            ("systemd:domain=X:index=0", "X", 15),
            ("systemd:index=0", "0", 14),
            ("haproxy", "", 7), ("haproxy:tcp:80", "", 14), ("haproxy:trust=unix", "", 18), ("haproxy::trust=unix", "", 19),
            ("haproxy:nope:1:trust=", "nope", 8), ("haproxy:tcp:abc:trust=", "abc", 12),
            ("haproxy:tcp:80:trust=10.0.0.1/8", "10.0.0.1/8", 21),
            ("haproxy:tcp:80:trust=:foo=1", "foo", 22), ("haproxy:tcp:80:trust=unix:headerTimeout=0", "0", 40),
        ])
    func whatIsNoServerIsRefused(_ text: String, _ token: String, _ offset: Int) throws {
        let error = try #require(throws: EndpointError.self) { try serverFromString(text) }
        guard text != "tcp:127.0.0.1:80:interface=::" else { return }
        #expect((error.token, error.offset) == (token, offset), "\(error)")
    }

    @Test(
        arguments: [
            ("tcp:h", "", 5), ("tcp:80:host=h", "80", 4), ("tcp::80", "", 7), ("tcp:h:0", "0", 6), ("tcp:h:x", "x", 6),
            ("tcp6:h:80", "tcp6", 0),
            ("tcp:1.2.3:80", "1.2.3", 4), ("tcp:h:80:timeout=0", "0", 17), ("tcp:h:80:timeout=x", "x", 17),
            ("tcp:h:80:timeout=1e-30", "1e-30", 17), ("tcp:h:80:timeout=-1", "-1", 17), ("tcp:h:80:timeout=1.", "1.", 17),
            ("tcp:h:80:timeout=1000000000.1", "1000000000.1", 17), ("tcp:h:80:timeout=99999999999999999999", "99999999999999999999", 17),
            ("tcp:h:80:bindAddress=h", "h", 21),
            ("tcp:h:80:9", "9", 9), ("unix", "", 4), ("systemd:index=0", "systemd", 0), ("tcp:a b:80", "a b", 4),
        ])
    func whatIsNoClientIsRefused(_ text: String, _ token: String, _ offset: Int) throws {
        let error = try #require(throws: EndpointError.self) { try clientFromString(text) }
        #expect((error.token, error.offset) == (token, offset), "\(error)")
    }

    @Test func anErrorIsASentence() throws {
        let error = try #require(throws: EndpointError.self) { try serverFromString("tcp:abc") }
        #expect(error.description == #"tcp:abc: "abc" at character 4 is no port: give a number from 0 to 65535"#)
        let unknown = try #require(throws: EndpointError.self) { try serverFromString("nope:1") }
        #expect(unknown.token == "nope")
        #expect(unknown.description.contains("is nothing to listen on: begin with fd, "))
        #expect(!unknown.description.contains("registerEndpoints"))
    }

    @Test func anOptionThatIsNobodysIsAnsweredWithThoseOfAllLayers() throws {
        let error = try #require(throws: EndpointError.self) { try serverFromString("haproxy:tcp:8007:trust=10.0.0.0/8:colour=red") }
        #expect(error.token == "colour")
        #expect(error.reason.hasPrefix("is no option of tcp: it has "))
        #expect(error.reason.hasSuffix("; haproxy has trust, headerTimeout"))
    }

    @Test func whoForgotToRegisterTLSIsTold() async {
        // Another process: in this one other tests have registered it.
        await #expect(processExitsWith: .success) {
            let error = try #require(throws: EndpointError.self) { try clientFromString("tls:example.com:443") }
            #expect(error.description.hasSuffix("import TwillTLS and call TLS.registerEndpoints() when the program starts"))
        }
    }

    /// Serves a greeting on an endpoint, and gives what a client of another endpoint hears.
    private func greeting(on server: String, to client: (any ListeningPort) -> String) throws -> String {
        let heard = Recorder()
        try withReactor { reactor in
            let greeter = Recorder()
            greeter.whenMade = {
                $0.transport.write("hello")
                $0.transport.loseConnection()
            }
            let port = try reactor.listen(Endpoint(server), factory: OneConnectionFactory(greeter))
            heard.whenLost = { _, _ in reactor.stop() }
            try reactor.connect(Endpoint(client(port)), factory: RecordingClientFactory { [weak heard] _ in heard })
        }
        return heard.text
    }

    @Test func eachPrefixIsServedAndReached() throws {
        let path = temporarySocketPath()
        #expect(try greeting(on: "tcp:0:interface=127.0.0.1") { "tcp:127.0.0.1:\($0.number)" } == "hello")
        #expect(try greeting(on: "tcp:[::1]:0") { "tcp:[::1]:\($0.number)" } == "hello")
        #expect(try greeting(on: "tcp:0") { "tcp:localhost:\($0.number)" } == "hello")
        #expect(try greeting(on: "tcp6:0:interface=[::1]") { "tcp:[::1]:\($0.number)" } == "hello")
        #expect(try greeting(on: "unix:\(path)") { "unix:\($0.address)" } == "hello")
        let (listener, number) = try RawSocket.listener(backlog: 4)
        let descriptor = dup(listener.descriptor)
        listener.close()
        let listening = OpenFile(descriptor)
        #expect(try greeting(on: "fd:\(descriptor)") { _ in "tcp:127.0.0.1:\(number)" } == "hello")
        #expect(!listening.isOpen, "the port has closed it")
    }

    @Test func haproxyPrefixWaitsForTheHeaderAndBelievesWhoIsTrusted() throws {
        for trust in ["127.0.0.1", "[10.0.0.0/8, 192.0.2.7]"] {
            let greeter = Recorder()
            greeter.whenMade = { $0.transport.write("hello \($0.transport.peer)") }
            try withReactor { reactor in
                let port = try reactor.listen(
                    Endpoint("haproxy:tcp:127.0.0.1:0:trust=\(trust)"), factory: OneConnectionFactory(greeter)
                ).number
                reactor.runClient {
                    let client = try RawSocket(connectedTo: port)
                    try? client.send("PROXY TCP4 192.0.2.1 192.0.2.2 1234 80\r\n")
                    client.shutdownWriting()
                    let heard = (try? client.receiveToEnd()) ?? []
                    try #require(String(decoding: heard, as: UTF8.self) == (trust == "127.0.0.1" ? "hello 192.0.2.1:1234" : ""))
                }
            }
        }
    }

    @Test func layersOfOnesOwnAreWrappedAroundServersAndClients() throws {
        let server = Recorder()
        let client = Recorder()
        let wrapped = Mutex<[String]>([])
        try withReactor { reactor in
            let place = try serverFromString("tcp:127.0.0.1:0").wrapped(as: "server layer") {
                wrapped.withLock { $0.append("server") }
                return WrappingFactory(wrapping: $0)
            }
            #expect(place.description == "server layer")
            let port = try place.listen(OneConnectionFactory(server), on: reactor)
            let target = try clientFromString("tcp:127.0.0.1:\(port.number)").wrapped(as: "client layer") { factory in
                wrapped.withLock { $0.append("client") }
                return RecordingClientFactory { [weak factory] peer in try factory?.buildProtocol(peer) }
            }
            #expect(target.description == "client layer")
            client.whenMade = { $0.transport.loseConnection() }
            server.whenLost = { _, _ in reactor.stop() }
            try target.connect(RecordingClientFactory { [weak client] _ in client }, on: reactor)
        }
        #expect(wrapped.withLock { $0 } == ["server", "client"])
        #expect(server.events == [.made, .lost(.done)])
    }

    private static let hasServices = unsafe access("/etc/services", R_OK) == 0

    @Test("K16: the name of a service stands for its port", .enabled(if: hasServices, "there is no /etc/services"))
    func servicesHavePorts() throws {
        #expect(try clientFromString("tcp:example.com:http").description == "tcp:example.com:80")
        #expect(try clientFromString("tcp:host=example.com:port=https").description == "tcp:example.com:443")
        let error = try #require(throws: EndpointError.self) { try clientFromString("tcp:example.com:nosuchservice") }
        #expect(error.description.hasSuffix("is no port: give a number from 1 to 65535, or the name of a service"))
    }

    @Test func aDescriptorThatDoesNotListenIsRefusedAndStays() throws {
        let (one, other) = try socketPair()
        let reactor = try LibeventReactor(logger: RecordedLog().logger)
        for descriptor in [one.descriptor, unusedDescriptor] {
            #expect(throws: ListenError.notAListener) {
                try reactor.listen(Endpoint("fd:\(descriptor)"), factory: Factory { Recorder() })
            }
        }
        #expect(fcntl(one.descriptor, F_GETFD) >= 0)
        one.close()
        other.close()
    }

    @Test func aConnectionThatSomebodyElseMadeIsServed() throws {
        let (near, far) = try socketPair()
        let heard = Recorder()
        try withReactor { reactor in
            heard.whenMade = { $0.transport.write("hello") }
            heard.whenLost = { _, _ in reactor.stop() }
            try reactor.adoptStreamConnection(near.giveAway(), factory: OneConnectionFactory(heard))
            reactor.inBackground {
                try #require(far.receiveText(5) == "hello")
                try far.send("bye")
                far.close()
            }
        }
        #expect(heard.events == [.made, .data("bye"), .lost(.done)])
    }

    @Test("K04, T10b, T10c: connecting once gives the protocol or says why not") func connectingOnce() throws {
        struct Refusal: Error {}
        let outcomes = Shared<[String]>([])
        try withReactor { reactor in
            let port = try reactor.listenTCP(port: 0, factory: Factory { Recorder() }, interface: "127.0.0.1")
            let endpoint = try clientFromString("tcp:127.0.0.1:\(port.number)")
            let nowhere = try clientFromString("unix:/tmp/nowhere-\(getpid())")
            let attempts: [(String, Deferred<Twill::Protocol>)] = [
                ("made", endpoint.connect(Factory { Recorder() }, on: reactor)),
                ("refused", endpoint.connect(Factory { (_: Address) in nil }, on: reactor)),
                ("threw", endpoint.connect(Factory { (_: Address) in throw Refusal() }, on: reactor)),
                ("nobody", nowhere.connect(Factory { Recorder() }, on: reactor)),
            ]
            for (name, attempt) in attempts {
                attempt.addBoth { [unowned reactor] result in
                    switch result {
                    case .success(let made):
                        #expect((made as? Recorder)?.events == [.made])
                        outcomes.value.append("\(name): made")
                    case .failure(let error): outcomes.value.append("\(name): \(error)")
                    }
                    if outcomes.value.count == attempts.count { reactor.stop() }
                }
            }
        }
        let sorted = outcomes.value.sorted()
        #expect(sorted.count == 4)
        #expect(sorted.first == "made: made")
        #expect(sorted.contains("refused: \(NoProtocol())"))
        #expect(sorted.contains("threw: Refusal()"))
        #expect(sorted.contains { $0.hasPrefix("nobody: Couldn't connect to /tmp/nowhere-") && $0.contains("is the server running?") })
    }

    @Test func aProtocolThatIsThereIsConnected() throws {
        let mine = Recorder()
        try withReactor { reactor in
            let port = try reactor.listenTCP(port: 0, factory: Factory { Recorder() }, interface: "127.0.0.1")
            try clientFromString("tcp:127.0.0.1:\(port.number)").connectProtocol(mine, on: reactor).addCallback {
                [unowned reactor] connected in
                #expect(connected.events == [.made])
                reactor.stop()
            }
        }
        #expect(mine.events == [.made, .lost(.reactorStopped)])
    }

    @Test func anotherModulesPrefixIsKnown() throws {
        // The example of Endpoints.md, but for a capital letter.
        EndpointRegistry.addServer("Local") { parts throws(EndpointError) in
            try parts.expect(argumentsMax: 1, options: [])
            guard let port = parts.arguments.first else { throw parts.missing("has no port: write local:PORT") }
            return TCPServerEndpoint(TCPBinding(port: try parts.number(port, in: 0...65535, called: "port"), interface: "127.0.0.1"))
        }
        #expect(try serverFromString("local:0").description == "tcp:127.0.0.1:0")
        #expect(EndpointRegistry.serverPrefixes.contains("local"))
        #expect(throws: EndpointError.self) { try clientFromString("local:0") }
    }

    @Test(
        "S1: what a service manager has handed down",
        arguments: [
            (["LISTEN_PID": "7", "LISTEN_FDS": "2", "LISTEN_FDNAMES": "a:b"], 2, ["a", "b"]),
            (["LISTEN_PID": "7", "LISTEN_FDS": "1"], 1, []),
            (["LISTEN_PID": "7", "LISTEN_FDS": "3", "LISTEN_FDNAMES": "a:b"], 3, []),
            (["LISTEN_PID": "8", "LISTEN_FDS": "2"], 0, []), (["LISTEN_PID": "7", "LISTEN_FDS": "0"], 0, []),
            (["LISTEN_PID": "7", "LISTEN_FDS": "x"], 0, []), (["LISTEN_PID": "7", "LISTEN_FDS": "-1"], 0, []),
            (["LISTEN_PID": "7", "LISTEN_FDS": "99999999999"], 0, []), (["LISTEN_FDS": "1"], 0, []), ([:], 0, []),
        ])
    func systemdSockets(_ environment: [String: String], _ count: Int, _ names: [String]) throws {
        let sockets = SystemdSockets(environment: environment, processID: 7)
        #expect(sockets.count == count)
        #expect(sockets.names == names)
        #expect(sockets.descriptor(at: 0) == (count > 0 ? 3 : nil))
        #expect(sockets.descriptor(at: count) == nil)
        #expect(sockets.descriptor(named: "b") == (names.isEmpty ? nil : 4))
    }

    @Test func systemdEndpointsAreFoundByIndexAndByName() throws {
        let sockets = SystemdSockets(environment: ["LISTEN_PID": "7", "LISTEN_FDS": "2", "LISTEN_FDNAMES": "web:admin"], processID: 7)
        #expect(try SystemdSockets.endpoint(EndpointDescription("systemd:domain=INET:index=1"), among: sockets).descriptor == 4)
        #expect(try SystemdSockets.endpoint(EndpointDescription("systemd:domain=unix:name=web"), among: sockets).descriptor == 3)
        let error = try #require(throws: EndpointError.self) {
            try SystemdSockets.endpoint(EndpointDescription("systemd:name=other"), among: sockets)
        }
        #expect(error.description.contains("they are called web, admin"))
    }
}
