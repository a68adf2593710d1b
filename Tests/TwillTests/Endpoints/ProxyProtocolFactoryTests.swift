import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

@Suite("A factory behind proxies", .nothingLivesOn) final class ProxyProtocolFactoryTests {
    private let reactor = VirtualReactor()
    private let recorder = Recorder()
    private static let proxy = Address(host: "10.0.0.9", port: 40_000) ?? .unknown
    private static let client = Address(host: "192.0.2.7", port: 56_324) ?? .unknown
    private static let server = Address(host: "10.0.0.1", port: 443) ?? .unknown
    private static let line = "PROXY TCP4 192.0.2.7 10.0.0.1 56324 443\r\n"

    /// Notes with which addresses it is asked, and serves one connection.
    private final class AskedFactory: Factory {
        private(set) var asked: [Address] = []
        private var only: Twill::Protocol?

        init(_ only: Twill::Protocol) {
            self.only = only
            super.init()
        }

        override func buildProtocol(_ address: Address) -> Twill::Protocol? {
            defer { only = nil }
            asked.append(address)
            return only
        }
    }

    deinit { reactor.end() }

    private func behindProxy(_ inside: Factory, headerTimeout: Duration = .seconds(3)) throws -> ProxyProtocolFactory {
        try ProxyProtocolFactory(wrapping: inside, trusting: "10.0.0.0/8", headerTimeout: headerTimeout)
    }

    /// A connection from the proxy to the recorder.
    private func connected() throws -> VirtualTransport {
        try reactor.connection(to: behindProxy(OneConnectionFactory(recorder)), from: Self.proxy)
    }

    // Trust.

    // P1.
    @Test func nobodyIsTrustedWhereNobodyIsNamed() throws {
        for factory in [
            ProxyProtocolFactory(wrapping: Factory { Recorder() }, trusting: TrustedProxies(networks: [])),
            try ProxyProtocolFactory(wrapping: Factory { Recorder() }, trusting: ""),
            try ProxyProtocolFactory(wrapping: Factory { Recorder() }, trusting: " "),
        ] {
            for host in ["127.0.0.1", "10.0.0.9", "::1"] {
                #expect(try factory.protocolForConnection(from: try #require(Address(host: host, port: 1))) == nil)
            }
            #expect(try factory.protocolForConnection(from: .unix("")) == nil)
            #expect(try factory.protocolForConnection(from: .unknown) == nil)
            #expect(factory.untrusted == 5)
        }
    }

    @Test func thoseWhoAreNamedAreTrustedAndNobodyElse() throws {
        let factory = try ProxyProtocolFactory(wrapping: Factory { Recorder() }, trusting: "10.0.0.0/8,  192.0.2.7 ,fd00::/8")
        #expect(factory.trusted.networks == [try IPNetwork("10.0.0.0/8"), try IPNetwork("192.0.2.7/32"), try IPNetwork("fd00::/8")])
        let trusted = ["10.0.0.9", "192.0.2.7", "fd12::1", "::ffff:10.0.0.9"]
        for host in trusted + ["11.0.0.1", "192.0.2.8", "fe80::1", "::ffff:11.0.0.1", "127.0.0.1", "::1"] {
            let peer = try #require(Address(host: host, port: 1))
            #expect(factory.trusted.contains(peer) == trusted.contains(host))
            #expect((try factory.protocolForConnection(from: peer) != nil) == trusted.contains(host))
        }
        #expect(factory.untrusted == 6)
    }

    @Test func peersOfUNIXSocketsAreTrustedWhereThatWasSaid() throws {
        let inside = Factory { Recorder() }
        #expect(!(try behindProxy(inside).trusted.contains(.unix(""))))
        #expect(
            ProxyProtocolFactory(wrapping: inside, trusting: TrustedProxies(networks: [], includesUNIX: true)).trusted.contains(.unix("")))
        let listed = try ProxyProtocolFactory(wrapping: inside, trusting: "unix, 10.0.0.0/8")
        #expect(listed.trusted.contains(.unix("/run/proxy.sock")))
        #expect(listed.trusted.contains(Self.proxy))
        #expect(!listed.trusted.contains(.unknown))
    }

    @Test(arguments: [
        ",", "10.0.0.0/8,", ",10.0.0.0/8", "10.0.0.0/8 10.0.0.9", "10.0.0.0/8, unixx", "UNIX", "localhost", "10.0.0.1/8", "*",
    ])
    func aListWithSomethingElseInItIsRefused(list: String) {
        #expect(throws: IPNetworkError.self) { try ProxyProtocolFactory(wrapping: Factory { Recorder() }, trusting: list) }
    }

    // The header.

    @Test func theFactoryInsideIsAskedWhenTheHeaderIsWholeAndWithTheClientsAddress() throws {
        let inside = AskedFactory(recorder)
        recorder.whenMade = { recorder in
            #expect(recorder.transport.peer == Self.client)
            #expect(recorder.transport.host == Self.server)
            recorder.transport.write("welcome")
        }
        let transport = try reactor.connection(to: behindProxy(inside), from: Self.proxy)
        for byte in bytes(Self.line) {
            #expect(inside.asked.isEmpty && recorder.events.isEmpty && transport.written == "")
            transport.say(text([byte].span))
        }
        #expect(inside.asked == [Self.client])
        #expect(recorder.events == [.made])
        #expect(transport.written == "welcome")
    }

    @Test func byteByByteOrWithWhatFollowsTheProtocolSeesTheSame() throws {
        for sizes in [[1], [8, 1000], [100, 1000], [1000]] {
            let recorder = Recorder()
            let transport = try reactor.connection(to: behindProxy(OneConnectionFactory(recorder)), from: Self.proxy)
            var rest = bytes(Self.line + "hello")[...]
            var remaining = sizes
            while !rest.isEmpty {
                let size = remaining.count > 1 ? remaining.removeFirst() : remaining[0]
                let piece = rest.prefix(size)
                #expect(recorder.events.isEmpty || rest.count < 6)
                transport.say(text(Array(piece).span))
                rest = rest.dropFirst(piece.count)
            }
            #expect(recorder.events.first == .made)
            #expect(recorder.text == "hello")
            #expect(recorder.transport.peer == Self.client)
        }
    }

    // P8.
    @Test func aSecondHeaderIsData() throws {
        let transport = try connected()
        transport.say(Self.line + Self.line)
        transport.say(Self.line)
        #expect(recorder.text == Self.line + Self.line)
        #expect(recorder.transport.peer == Self.client)
    }

    @Test(arguments: [
        ("LOCAL", unhex("0d0a0d0a000d0a515549540a20000000")), ("LOCAL with a rest", BinaryHeader(versionAndCommand: 0x20).encoded),
        ("UNSPEC", BinaryHeader(family: 0, addresses: []).encoded), ("UNKNOWN", bytes("PROXY UNKNOWN\r\n")),
        ("UNKNOWN with a rest", bytes("PROXY UNKNOWN 192.0.2.7 10.0.0.1 1 2\r\n")),
    ])
    func whoAnnouncesNothingIsServedWithTheRealAddresses(name: String, header: [UInt8]) throws {
        let inside = AskedFactory(recorder)
        let transport = try reactor.connection(to: behindProxy(inside), from: Self.proxy)
        transport.say(text(header.span) + "hi")
        #expect(inside.asked == [Self.proxy])
        #expect(recorder.events == [.made, .data("hi")])
        #expect(recorder.transport.peer == Self.proxy)
        #expect(recorder.transport.proxied?.header.source == nil)
        transport.lose(.lost(SystemError(call: "recv", errno: 1)).with(Self.proxy))
        #expect(recorder.reason?.peer == Self.proxy)
    }

    @Test func anIPv4ClientInIPv6ClothesIsAnIPv4Client() throws {
        try connected().say("PROXY TCP6 ::ffff:192.0.2.7 ::ffff:10.0.0.1 56324 443\r\n")
        #expect(recorder.transport.peer == Self.client)
        #expect(recorder.transport.host == Self.server)
    }

    @Test func theRealAddressesAndTheHeaderStayAtHandThroughAllPolicies() throws {
        let stack = TimeoutFactory(wrapping: TrafficLoggingFactory(wrapping: OneConnectionFactory(recorder)))
        let outside = DeadlineFactory(
            wrapping: DrainRateFactory(wrapping: try behindProxy(stack), bytesPerSecondMin: 1), firstByte: .seconds(9))
        let transport = try reactor.connection(to: outside, from: Self.proxy)
        transport.say(Self.line)
        #expect(recorder.transport.peer == Self.client)
        let proxied = try #require(recorder.transport.proxied)
        #expect(proxied !== recorder.transport)
        #expect(proxied.realPeer == Self.proxy)
        #expect(proxied.realHost == transport.host)
        #expect(proxied.header.source == Self.client)
        #expect(proxied.header.version == .v1)
        #expect(transport.proxied == nil)
        #expect(Transport().proxied == nil)
    }

    @Test func aProxyBehindAProxyIsUnwrappedTwice() throws {
        let inner = try ProxyProtocolFactory(wrapping: OneConnectionFactory(recorder), trusting: "192.0.2.7")
        let transport = try reactor.connection(to: behindProxy(inner), from: Self.proxy)
        transport.say(Self.line)
        #expect(recorder.events.isEmpty)
        transport.say("PROXY TCP4 198.51.100.1 192.0.2.7 1 2\r\nhello")
        #expect(recorder.text == "hello")
        #expect(recorder.transport.peer.host == "198.51.100.1")
        let proxied = try #require(recorder.transport.proxied)
        #expect(proxied.realPeer == Self.client)
        #expect(proxied.inner.proxied?.realPeer == Self.proxy)
        transport.lose()
        #expect(recorder.reason?.peer.host == "198.51.100.1")
    }

    // What is refused.

    @Test(arguments: ["GET / HTTP/1.0\r\n\r\n", "PROXY TCP4 999.1.1.1 10.0.0.1 1 2\r\nhello", "\u{16}\u{3}\u{1}"])
    func aHeaderThatBreaksTheRulesClosesTheConnectionAndNothingInsideHears(stream: String) throws {
        let factory = try behindProxy(
            Factory { () -> Twill::Protocol in
                Issue.record("the factory inside was asked")
                return Recorder()
            })
        let transport = try reactor.connection(to: factory, from: Self.proxy)
        transport.say(stream)
        transport.say(Self.line)
        try reactor.advance(by: .seconds(10))
        #expect(transport.reason == .badInput)
        let error = try #require(transport.reason?.underlying as? ProxyHeaderError)
        #expect(!transport.wasAborted)
        #expect(factory.headersRefused == 1 && factory.timedOut == 0 && factory.untrusted == 0)
        #expect(reactor.log.entries == ["warning: Factory: the peer 10.0.0.9:40000 broke the rules of the protocol: \(error)"])
    }

    @Test func aHeaderThatIsNotThereInTimeClosesTheConnection() throws {
        let factory = try behindProxy(OneConnectionFactory(recorder))
        #expect(factory.headerTimeout == .seconds(3))
        let transport = try reactor.connection(to: factory, from: Self.proxy)
        // H22; a byte now and then changes nothing.
        for character in "PROXY" {
            transport.say(String(character))
            try reactor.advance(by: .milliseconds(500))
        }
        try reactor.advance(by: .milliseconds(499))
        #expect(transport.state == .connected)
        try reactor.advance(by: .milliseconds(1))
        #expect(transport.reason == .timedOut)
        #expect(transport.reason?.deadline == .proxyHeader(.seconds(3)))
        #expect(factory.timedOut == 1 && factory.headersRefused == 0)
        #expect(recorder.events.isEmpty)
        #expect(
            reactor.log.entries == [
                "warning: OneConnectionFactory: the peer 10.0.0.9:40000 took too long: no whole PROXY header came within 3.0 seconds of connecting"
            ])
    }

    @Test func whoHasSentTheHeaderHasAllTheTimeInTheWorld() throws {
        let transport = try reactor.connection(
            to: behindProxy(OneConnectionFactory(recorder), headerTimeout: .seconds(9)), from: Self.proxy)
        try reactor.advance(by: .seconds(8))
        transport.say(Self.line)
        try reactor.advance(by: .seconds(1000))
        #expect(transport.state == .connected)
        #expect(reactor.delayedCalls.isEmpty)
    }

    @Test func aLossBeforeTheHeaderIsNobodysBusiness() throws {
        let factory = try behindProxy(OneConnectionFactory(recorder))
        for reason in [ConnectionLost.done, .lost, .reactorStopped] {
            let transport = try reactor.connection(to: factory, from: Self.proxy)
            transport.say("PROXY TCP4")
            transport.lose(reason)
        }
        try reactor.advance(by: .seconds(10))
        #expect(recorder.events.isEmpty)
        #expect(factory.headersRefused == 0 && factory.timedOut == 0)
        #expect(reactor.log.entries.isEmpty)
    }

    @Test func whatTheFactoryInsideRefusesIsClosed() throws {
        let transport = try reactor.connection(to: behindProxy(Factory { (_: Address) in nil }), from: Self.proxy)
        transport.say(Self.line + "hello")
        try reactor.advance(by: .seconds(1))
        #expect(transport.reason == .done)
        #expect(reactor.log.entries.isEmpty)
    }

    // Policies.

    @Test func aLimitInsideCountsClientsAndOneOutsideCountsProxies() throws {
        let inside = LimitConnectionsByPeer(wrapping: Factory { Recorder() }, connectionsMax: 1)
        let outside = LimitConnectionsByPeer(wrapping: try behindProxy(inside), connectionsMax: 3)
        let first = try reactor.connection(to: outside, from: Self.proxy)
        let second = try reactor.connection(to: outside, from: Self.proxy)
        let third = try reactor.connection(to: outside, from: Self.proxy)
        #expect(try outside.protocolForConnection(from: Self.proxy) == nil)
        #expect(outside.connectionCount(of: "10.0.0.9") == 3)
        first.say(Self.line)
        second.say("PROXY TCP4 192.0.2.8 10.0.0.1 56324 443\r\n")
        third.say(Self.line)
        try reactor.advance(by: .seconds(1))
        #expect(first.state == .connected && second.state == .connected)
        #expect(third.state == .disconnected)
        #expect(inside.connectionCount(of: "192.0.2.7") == 1 && inside.connectionCount(of: "192.0.2.8") == 1)
        #expect(inside.connectionCount(of: "10.0.0.9") == 0)
        #expect(outside.connectionCount(of: "10.0.0.9") == 2)
        first.lose()
        #expect(inside.connectionCount(of: "192.0.2.7") == 0)
    }

    @Test func aDeadlineOutsideCountsTheHeaderAsAMessageAndThenThoseOfTheProtocol() throws {
        let deadlined = DeadlineFactory(wrapping: try behindProxy(Factory { LineReceiver() }), message: .seconds(2))
        let slow = try reactor.connection(to: deadlined, from: Self.proxy)
        slow.say("PROXY ")
        try reactor.advance(by: .seconds(2))
        #expect(slow.reason?.deadline == .message(.seconds(2)))

        let transport = try reactor.connection(to: deadlined, from: Self.proxy)
        transport.say("PROXY ")
        try reactor.advance(by: .seconds(1))
        transport.say(Self.line.dropFirst(6) + "half a line")
        try reactor.advance(by: .seconds(2) - .nanoseconds(1))
        #expect(transport.state == .connected)
        try reactor.advance(by: .nanoseconds(1))
        #expect(transport.reason?.deadline == .message(.seconds(2)))
    }

    @Test func logLinesNameTheServerBeforeTheHeaderAndAfterIt() throws {
        final class Named: Twill::Protocol {
            override var logPrefix: String { "named" }
            override var unfinishedByteCount: Int { 7 }
        }
        let factory = try behindProxy(Factory { Named() })
        let handler = try #require(try factory.protocolForConnection(from: Self.proxy))
        let transport = VirtualTransport(reactor)
        transport.connect(handler)
        #expect(handler.logPrefix == "Factory")
        transport.say("PROXY TCP4")
        #expect(handler.unfinishedByteCount == 10)
        transport.say(Self.line.dropFirst(10) + "")
        #expect(handler.logPrefix == "named")
        #expect(handler.unfinishedByteCount == 7)
    }

    @Test func theProtocolIsToldOfItsLossWithTheClientsName() throws {
        try connected().say(Self.line)
        let transport = try #require(recorder.transport.proxied?.inner as? VirtualTransport)
        transport.lose(ConnectionLost.lost.with(Self.proxy))
        #expect(recorder.events == [.made, .lost(.lost)])
        #expect(recorder.reason?.peer == Self.client)
        // A clean end needs no name.
        let other = Recorder()
        let clean = try reactor.connection(to: behindProxy(OneConnectionFactory(other)), from: Self.proxy)
        clean.say(Self.line)
        clean.lose(.done)
        #expect(other.reason?.peer == .unknown)
    }

    // What comes with the header.

    @Test func whoPausesInConnectionMadeGetsNothingUntilItResumes() throws {
        recorder.whenMade = { $0.transport.pauseProducing() }
        let transport = try connected()
        transport.say(Self.line + "hello")
        try reactor.advance(by: .seconds(60))
        #expect(recorder.events == [.made])
        recorder.transport.resumeProducing()
        // It comes on a later turn, and nothing comes before it.
        #expect(recorder.events == [.made])
        #expect(transport.isPaused)
        try reactor.advance(by: .zero)
        #expect(recorder.events == [.made, .data("hello")])
        #expect(!transport.isPaused)
        transport.say("more")
        #expect(recorder.events == [.made, .data("hello"), .data("more")])
    }

    @Test func whoPausesAgainBeforeItComesWaitsAgain() throws {
        recorder.whenMade = { $0.transport.pauseProducing() }
        let transport = try connected()
        transport.say(Self.line + "hello")
        recorder.transport.resumeProducing()
        recorder.transport.pauseProducing()
        try reactor.advance(by: .seconds(1))
        #expect(recorder.events == [.made])
        recorder.transport.resumeProducing()
        recorder.transport.resumeProducing()
        try reactor.advance(by: .seconds(1))
        #expect(recorder.events == [.made, .data("hello")])
        #expect(!transport.isPaused)
    }

    @Test func whoPausesWhileItComesIsPaused() throws {
        recorder.whenMade = { $0.transport.pauseProducing() }
        recorder.whenData = { $0.transport.pauseProducing() }
        let transport = try connected()
        transport.say(Self.line + "hello")
        recorder.transport.resumeProducing()
        try reactor.advance(by: .seconds(1))
        #expect(recorder.text == "hello")
        #expect(transport.isPaused)
        recorder.transport.resumeProducing()
        #expect(!transport.isPaused)
    }

    @Test func aPolicyInsideThatHoldsReadingHoldsItToo() throws {
        let throttled = ThrottlingFactory(wrapping: Factory { Recorder() }, bytesInPerSecond: 10)
        let factory = try behindProxy(throttled)
        let first = try reactor.connection(to: factory, from: Self.proxy)
        first.say(Self.line + String(repeating: ".", count: 30))
        #expect(first.isPaused)
        let inside = Recorder()
        let second = try reactor.connection(
            to: behindProxy(ThrottlingFactory(wrapping: OneConnectionFactory(inside), bytesInPerSecond: 10)), from: Self.proxy)
        second.say(Self.line + String(repeating: ".", count: 30))
        #expect(inside.text.count == 30)
        try reactor.advance(by: .seconds(10))
        #expect(!first.isPaused && !second.isPaused)
    }

    @Test func aLineReceiverThatPausesItselfGetsEachLineOnce() throws {
        final class Lines: LineReceiver {
            var lines: [String] = []
            override func connectionMade() { pauseProducing() }
            override func lineReceived(_ line: Span<UInt8>) {
                lines.append(text(line))
                pauseProducing()
            }
        }
        let lines = Lines()
        let transport = try reactor.connection(to: behindProxy(OneConnectionFactory(lines)), from: Self.proxy)
        transport.say(Self.line + "one\r\ntwo\r\nthr")
        #expect(lines.lines.isEmpty)
        for expected in [["one"], ["one", "two"], ["one", "two"]] {
            try lines.resumeProducing()
            try reactor.advance(by: .zero)
            #expect(lines.lines == expected)
        }
        transport.say("ee\r\n")
        #expect(lines.lines == ["one", "two", "three"])
    }

    @Test func whoClosesInConnectionMadeGetsNothingOfIt() throws {
        recorder.whenMade = { $0.transport.loseConnection() }
        try connected().say(Self.line + "hello")
        try reactor.advance(by: .seconds(1))
        #expect(recorder.events == [.made, .lost(.done)])
    }

    @Test func whoClosesWhileSomethingIsHeldGetsNothingOfIt() throws {
        recorder.whenMade = { $0.transport.pauseProducing() }
        try connected().say(Self.line + "hello")
        recorder.transport.resumeProducing()
        recorder.transport.loseConnection()
        try reactor.advance(by: .seconds(1))
        #expect(recorder.events == [.made, .lost(.done)])
    }

    @Test func whatConnectionMadeThrowsEndsTheConnection() throws {
        struct Mistake: Error {}
        recorder.whenMade = { _ in throw Mistake() }
        let transport = try connected()
        transport.say(Self.line + "hello")
        try reactor.advance(by: .seconds(1))
        #expect(recorder.events == [.made, .lost(.failed)])
        #expect(transport.reason?.underlying is Mistake)
    }

    @Test func whatItThrowsOverTheHeldBytesEndsTheConnection() throws {
        recorder.whenMade = { $0.transport.pauseProducing() }
        recorder.whenData = { _ in throw Rejection(.notUTF8, offset: 0) }
        let transport = try connected()
        transport.say(Self.line + "hello")
        recorder.transport.resumeProducing()
        try reactor.advance(by: .seconds(1))
        #expect(recorder.events == [.made, .data("hello"), .lost(.badInput)])
    }

    @Test func anErrorOfAHeaderThatTheProtocolItselfThrowsIsNoRefusedHeader() throws {
        let factory = try behindProxy(OneConnectionFactory(recorder))
        recorder.whenData = { _ in throw ProxyHeaderError(.noHeader, offset: 0) }
        let transport = try reactor.connection(to: factory, from: Self.proxy)
        transport.say(Self.line + "hello")
        try reactor.advance(by: .seconds(1))
        #expect(recorder.reason == .failed)
        #expect(factory.headersRefused == 0)
    }

    // Starting and stopping.

    @Test func theFactoryInsideIsStoppedOnlyWhenNobodyCanAskItAnyMore() throws {
        let inside = CountingFactory()
        let factory = try behindProxy(inside)
        try factory.doStart()
        let waiting = try (0..<3).map { _ in try reactor.connection(to: factory, from: Self.proxy) }
        #expect(inside.starts == 1)
        try factory.doStop()
        #expect(inside.stops == 0)
        waiting[0].say(Self.line)
        waiting[1].lose()
        #expect(inside.stops == 0)
        waiting[2].say("GET /")
        try reactor.advance(by: .seconds(1))
        #expect(inside.stops == 1)
        #expect(inside.userCount == 0)
    }

    @Test func aFactoryThatNobodyHasStartedIsNotStarted() throws {
        let inside = CountingFactory()
        try reactor.connection(to: behindProxy(inside), from: Self.proxy).say(Self.line)
        #expect(inside.starts == 0 && inside.stops == 0)
    }

    @Test func eachProtocolKnowsTheFactoryThatMadeIt() throws {
        let inside = OneConnectionFactory(recorder)
        let factory = try behindProxy(inside)
        let outer = try #require(try factory.protocolForConnection(from: Self.proxy))
        #expect(outer.factory === factory)
        let transport = VirtualTransport(reactor)
        transport.connect(outer)
        transport.say(Self.line)
        #expect(recorder.factory === inside)
        #expect(factory.logPrefix == "OneConnectionFactory")
    }
}
