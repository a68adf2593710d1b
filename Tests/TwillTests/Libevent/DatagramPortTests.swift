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

/// What arrives at a UDP port, what leaves it, and how it is opened and closed.
@Suite("UDP ports", .nothingLivesOn)
struct DatagramPortTests {
    private struct Refusal: Error {}

    /// The interface that is listened on, where the client sends from, and as whom it is seen.
    static let ways = [
        ("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("", "127.0.0.1"), ("", "::1"), ("0.0.0.0", "127.0.0.1"), ("::", "::1"),
        ("::", "127.0.0.1"),
    ]

    @Test(arguments: ways)
    func everyDatagramComesBackWholeToWhereItCameFrom(interface: String, client: String) throws {
        let echo = DatagramRecorder()
        echo.whenReceived = { try $0.transport.write($1, to: $2) }
        let raw = try RawDatagramSocket(host: client)
        try withReactor { reactor in
            let number = try reactor.listenUDP(port: 0, protocol: echo, interface: interface, maxPacketSize: 65535).host.port
            let server = try #require(Address(host: client, port: number ?? 0))
            reactor.runClient {
                for size in [0, 1, 64, 1472, 1473, 8192, 9000, 65507] {
                    let datagram = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ size) }
                    try raw.send(datagram, to: server)
                    let (bytes, sender) = try raw.receive()
                    try #require(bytes == datagram)
                    try #require(sender == server)
                }
            }
        }
        // An IPv4 client of a port on all interfaces shows as IPv4.
        #expect(echo.senders.allSatisfy { $0 == raw.address } && echo.senders.count == 8)
    }

    @Test func datagramsKeepTheirOrderAndTheirEdges() throws {
        let texts = (0..<150).map { String(repeating: "x", count: $0 % 7) + "\($0)" }
        let raw = try RawDatagramSocket()
        let echo = DatagramEcho()
        let port = try withReactor { reactor in
            let port = try reactor.listenUDP(port: 0, protocol: echo, interface: "127.0.0.1")
            let server = port.host
            // All of them wait when the reactor begins: more than a batch.
            for text in texts { try raw.send(text, to: server) }
            reactor.runClient { try #require(try raw.receiveTexts(texts.count) == texts) }
            return port
        }
        #expect(port.statistics.received == texts.count)
        #expect(port.statistics.sent == texts.count)
        let bytes = texts.reduce(0) { $0 + $1.utf8.count }
        #expect(port.statistics.bytesReceived == bytes)
        #expect(port.statistics.bytesSent == bytes)
        #expect(port.statistics.dropped == 0 && port.statistics.failed == 0 && port.statistics.truncated == 0)
    }

    @Test func whatOneCallbackWritesLeavesInItsOrder() throws {
        let first = try RawDatagramSocket()
        let second = try RawDatagramSocket()
        let recorder = DatagramRecorder()
        // More than a batch, of several sizes, to two peers by turns, and one that is larger than the rest of the stage.
        let texts = (0..<200).map { "\($0)" + String(repeating: ".", count: $0 * 7 % 900) } + [String(repeating: "#", count: 65507)]
        recorder.whenReceived = { recorder, _, _ in
            for (index, text) in texts.enumerated() {
                try recorder.transport.write(text, to: index % 2 == 0 ? first.address : second.address)
            }
        }
        for raw in [first, second] { try raw.set(SOL_SOCKET, SO_RCVBUF, 1 << 20) }
        try withReactor { reactor in
            let server = try reactor.listenUDP(port: 0, protocol: recorder, interface: "127.0.0.1").host
            reactor.runClient {
                try first.send("go", to: server)
                let even = texts.indices.filter { $0 % 2 == 0 }.map { texts[$0] }
                let odd = texts.indices.filter { $0 % 2 == 1 }.map { texts[$0] }
                try #require(try first.receiveTexts(even.count) == even)
                try #require(try second.receiveTexts(odd.count) == odd)
            }
        }
    }

    @Test func twoPortsOfOneReactorWriteByTurnsInOneCallback() throws {
        let raw = try RawDatagramSocket()
        let (left, right) = (DatagramRecorder(), DatagramRecorder())
        left.whenReceived = { [unowned right] left, bytes, sender in
            for number in 0..<3 {
                try left.transport.write("left \(number)", to: sender)
                // The bytes that arrived, through the other port.
                try right.transport.write(bytes, to: sender)
            }
        }
        try withReactor { reactor in
            let server = try reactor.listenUDP(port: 0, protocol: left, interface: "127.0.0.1").host
            let other = try reactor.listenUDP(port: 0, protocol: right, interface: "127.0.0.1", maxPacketSize: 100).host
            reactor.runClient {
                try raw.send("hello", to: server)
                for number in 0..<3 {
                    let (bytes, sender) = try raw.receive()
                    try #require(String(decoding: bytes, as: UTF8.self) == "left \(number)" && sender == server)
                    let (echo, through) = try raw.receive()
                    try #require(String(decoding: echo, as: UTF8.self) == "hello" && through == other)
                }
            }
        }
    }

    @Test func whatATimerOrAConnectionWritesLeavesToo() throws {
        let raw = try RawDatagramSocket()
        let recorder = DatagramRecorder()
        try withReactor { reactor in
            let transport = try reactor.listenUDP(port: 0, protocol: recorder, interface: "127.0.0.1")
            // Before the reactor runs, in its first turn, and from a connection's callback.
            try transport.write("before", to: raw.address)
            let server = Recorder()
            server.whenData = { _ in try transport.write("connection", to: raw.address) }
            let number = try reactor.listenTCP(port: 0, factory: OneConnectionFactory(server), interface: "127.0.0.1").number
            reactor.callLater(.zero) { try transport.write("timer", to: raw.address) }
            reactor.runClient {
                try #require(try raw.receiveTexts(2) == ["before", "timer"])
                let client = try RawSocket(connectedTo: number)
                try client.send("!")
                try #require(try raw.receiveText() == "connection")
            }
        }
    }

    @Test func aPortInUseIsNamedInTheError() throws {
        let recorder = DatagramRecorder()
        try withReactor { reactor in
            let port = try reactor.listenUDP(port: 0, protocol: recorder, interface: "127.0.0.1")
            let number = Int(port.host.port ?? 0)
            let error = #expect(throws: ListenError.self) {
                try reactor.listenUDP(port: number, protocol: DatagramRecorder(), interface: "127.0.0.1")
            }
            #expect(error == .addressInUse)
            #expect(error?.description.hasPrefix("Couldn't listen on 127.0.0.1:\(number): address already in use") == true)
            reactor.stop()
        }
    }

    @Test(arguments: [("localhost", 0), ("999.1.1.1", 0), ("127.0.0.1", 65536), ("127.0.0.1", -1), ("", 65536), ("::1", Int.min)])
    func whatIsNoAddressOrNoPortIsRefused(interface: String, port: Int) throws {
        let reactor = try LibeventReactor()
        let recorder = DatagramRecorder()
        let error = #expect(throws: ListenError.self) { try reactor.listenUDP(port: port, protocol: recorder, interface: interface) }
        #expect(error == .badAddress)
        #expect(error?.description.contains("\(port)") == true)
        #expect(recorder.events == [] && !recorder.isInUse)
    }

    @Test func aSharedPortIsOpenedTwice() throws {
        try withReactor { reactor in
            let first = try reactor.listenUDP(port: 0, protocol: DatagramEcho(), interface: "127.0.0.1", reusePort: true)
            let second = try reactor.listenUDP(
                port: Int(first.host.port ?? 0), protocol: DatagramEcho(), interface: "127.0.0.1", reusePort: true)
            #expect(first.host == second.host)
            let server = first.host
            reactor.runClient {
                for _ in 0..<20 {
                    let raw = try RawDatagramSocket()
                    try raw.send("hello", to: server)
                    try #require(try raw.receiveText() == "hello")
                }
            }
        }
    }

    @Test func theOptionsReachTheSocket() throws {
        var options = DatagramOptions()
        options.sendBufferBytes = 20_000
        options.receiveBufferBytes = 30_000
        options.broadcastAllowed = true
        try withReactor { reactor in
            let port = try reactor.listenUDP(port: 0, protocol: DatagramEcho(), reusePort: true, options: options)
            let descriptor = try #require(port as? UDPPort).socket.descriptor
            // Linux doubles the sizes, for its own bookkeeping.
            #expect([20_000, 40_000].contains(socketOption(descriptor, SOL_SOCKET, SO_SNDBUF)))
            #expect([30_000, 60_000].contains(socketOption(descriptor, SOL_SOCKET, SO_RCVBUF)))
            #expect(socketOption(descriptor, SOL_SOCKET, SO_BROADCAST) != 0)
            #expect(socketOption(descriptor, SOL_SOCKET, SO_REUSEPORT) != 0)
            #expect(port.broadcastAllowed)
            #expect(fcntl(descriptor, F_GETFL) & O_NONBLOCK != 0)
            #expect(fcntl(descriptor, F_GETFD) & FD_CLOEXEC != 0)
            let plain = try #require(try reactor.listenUDP(port: 0, protocol: DatagramEcho(), interface: "::1") as? UDPPort)
            #expect(socketOption(plain.socket.descriptor, SOL_SOCKET, SO_BROADCAST) == 0)
            #expect(socketOption(plain.socket.descriptor, SOL_SOCKET, SO_REUSEPORT) == 0)
            #expect(socketOption(plain.socket.descriptor, SOL_SOCKET, SO_REUSEADDR) == 0)
            #expect(socketOption(plain.socket.descriptor, CInt(IPPROTO_IPV6), IPV6_V6ONLY) == 1)
            reactor.stop()
        }
    }

    @Test func stoppingTellsTheProtocolOnceOnALaterTurn() throws {
        let recorder = DatagramRecorder()
        let raw = try RawDatagramSocket()
        try withReactor { reactor in
            let port = try reactor.listenUDP(port: 0, protocol: recorder, interface: "127.0.0.1")
            let server = port.host
            reactor.callLater(.zero) {
                try port.write("last", to: raw.address)
                port.stopListening()
                port.stopListening()
                #expect(recorder.events == [.started])
                #expect(!port.isListening)
                #expect(port.host == server)
                // Dropped in silence, whatever is wrong with it.
                try port.write("too late", to: raw.address)
                try port.write("too late", to: .unknown)
                try port.write("too late")
                try port.connect(to: raw.address)
                port.broadcastAllowed = true
                #expect(port.peer == nil && !port.broadcastAllowed)
                reactor.afterTurns(3) {
                    #expect(recorder.events == [.started, .stopped])
                    #expect(!recorder.isInUse)
                    // The port is free again, and the protocol, too.
                    try reactor.listenUDP(port: Int(server.port ?? 0), protocol: recorder, interface: "127.0.0.1")
                    reactor.stop()
                }
            }
        }
        #expect(recorder.events == [.started, .stopped, .started, .stopped])
        #expect(try raw.receiveText() == "last")
        #expect(raw.isEmpty)
    }

    @Test func aReactorThatStopsClosesItsPorts() throws {
        let recorder = DatagramRecorder()
        let port = try withReactor { reactor in
            let port = try reactor.listenUDP(port: 0, protocol: recorder, interface: "127.0.0.1")
            reactor.callLater(.zero) { reactor.stop() }
            return port
        }
        #expect(recorder.events == [.started, .stopped])
        #expect(!port.isListening)
        #expect(throws: Never.self) { try RawDatagramSocket(port: port.host.port ?? 0) }
    }

    @Test func aReactorThatRunsAgainGoesOnWithItsPorts() throws {
        let raw = try RawDatagramSocket()
        let reactor = try LibeventReactor()
        let recorder = DatagramRecorder()
        let server = try reactor.listenUDP(port: 0, protocol: recorder, interface: "127.0.0.1").host
        recorder.whenReceived = { [unowned reactor] in
            try $0.transport.write($1, to: $2)
            if $1.count == 5 { reactor.crash() }
        }
        // So many that the port would ask for more without waiting.
        for _ in 0..<40 { try raw.send("crash", to: server) }
        try reactor.run(installSignalHandlers: false)
        for _ in 0..<3 { try raw.send("again.", to: server) }
        recorder.whenTold = { [unowned reactor] recorder, _ in if recorder.received.count == 43 { reactor.stop() } }
        try reactor.runToStop()
        #expect(recorder.texts == Array(repeating: "crash", count: 40) + Array(repeating: "again.", count: 3))
        #expect(try raw.receiveTexts(43) == recorder.texts)
        #expect(recorder.events.last == .stopped)
    }

    @Test func aProtocolThatWillNotStartLeavesThePortFree() throws {
        let recorder = DatagramRecorder()
        recorder.whenTold = { recorder, event in
            if event == .started { throw Refusal() }
        }
        let number = try #require(RawDatagramSocket.freeAddress().port)
        try withReactor { reactor in
            #expect(throws: Refusal.self) { try reactor.listenUDP(port: Int(number), protocol: recorder, interface: "127.0.0.1") }
            #expect(!recorder.isInUse)
            try reactor.listenUDP(port: Int(number), protocol: DatagramEcho(), interface: "127.0.0.1")
            reactor.afterTurns(3) { reactor.stop() }
        }
        // It was never told of an end, because it never began.
        #expect(recorder.events == [.started])
        recorder.whenTold = nil
    }

    @Test func aProtocolServesOnePortAtATime() throws {
        let recorder = DatagramRecorder()
        try withReactor { reactor in
            let port = try reactor.listenUDP(port: 0, protocol: recorder, interface: "127.0.0.1")
            let error = #expect(throws: DatagramError.self) { try reactor.listenUDP(port: 0, protocol: recorder) }
            #expect(error == .protocolInUse)
            #expect(error?.description.contains("DatagramRecorder serves \(port.host) already") == true)
            #expect(port.isListening && recorder.transport === port)
            reactor.stop()
        }
        #expect(recorder.events == [.started, .stopped])
    }

    @Test func aProtocolThatStopsWhileItStartsIsToldOfItsEnd() throws {
        let recorder = DatagramRecorder()
        recorder.whenTold = { if $1 == .started { $0.transport.stopListening() } }
        try withReactor { reactor in
            let port = try reactor.listenUDP(port: 0, protocol: recorder)
            #expect(!port.isListening)
            reactor.afterTurns(2) { reactor.stop() }
        }
        #expect(recorder.events == [.started, .stopped])
    }

    @Test func aTransportWithoutAReactorDropsEverything() throws {
        let transport = DatagramTransport()
        try transport.write("nobody hears", to: .unknown)
        try transport.write([1, 2, 3])
        try transport.connect(to: .unknown)
        try transport.joinGroup("no group")
        transport.broadcastAllowed = true
        transport.stopListening()
        #expect(!transport.isListening && !transport.broadcastAllowed)
        #expect(transport.host == .unknown && transport.peer == nil && transport.statistics == DatagramStatistics())
        let idle = DatagramRecorder()
        try idle.transport.write("nobody hears", to: .unknown)
        try idle.doStop()
        #expect(idle.events == [])
    }
}
