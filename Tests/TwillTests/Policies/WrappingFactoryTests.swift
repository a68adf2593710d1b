import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

@Suite(.nothingLivesOn) struct WrappingFactoryTests {
    private struct NoProtocol: Error {}

    @Test func theFactoryInsideStartsAndStopsWithIt() throws {
        let inside = CountingFactory()
        let outside = WrappingFactory(wrapping: WrappingFactory(wrapping: inside))
        try outside.doStart()
        try outside.doStart()
        #expect(inside.starts == 1)
        #expect(inside.userCount == 1)
        try outside.doStop()
        #expect(inside.stops == 0)
        try outside.doStop()
        #expect(inside.stops == 1)
    }

    @Test func aFactoryInsideThatCannotStartKeepsTheOneOutsideFromStarting() {
        final class Broken: Factory {
            override func startFactory() throws { throw NoProtocol() }
        }
        let outside = WrappingFactory(wrapping: Broken())
        #expect(throws: NoProtocol.self) { try outside.doStart() }
        #expect(outside.userCount == 0)
    }

    @Test func whatANoisyFactoryInsideLogsIsLogged() throws {
        let log = RecordedLog()
        let inside = CountingFactory()
        inside.isNoisy = true
        let outside = WrappingFactory(wrapping: inside)
        try outside.doStart(logger: log.logger)
        try outside.doStop(logger: log.logger)
        #expect(log.entries == ["info: Starting factory CountingFactory", "info: Stopping factory CountingFactory"])
    }

    @Test func eachProtocolKnowsTheFactoryThatMadeIt() throws {
        let inside = Factory { Recorder() }
        let outside = WrappingFactory(wrapping: inside)
        let made = try #require(try outside.protocolForConnection(from: .unknown) as? ProtocolWrapper)
        #expect(made.factory === outside)
        #expect(made.wrapped.factory === inside)
    }

    @Test func whatIsInsideSeesThePeersAddress() throws {
        let address = try #require(Address(host: "10.0.0.1", port: 7))
        var seen: Address?
        let inside = Factory { address in
            seen = address
            return Recorder()
        }
        _ = try WrappingFactory(wrapping: inside).protocolForConnection(from: address)
        #expect(seen == address)
    }

    // M06; twisted#6640: there the connection stays open.
    @Test func anInsideThatRefusesClosesTheConnection() throws {
        let log = RecordedLog()
        var refused = 0
        try withReactor(log: log) { reactor in
            let inside = Factory { _ -> Twill::Protocol? in nil }
            let factory = TimeoutFactory(wrapping: LimitConnectionsByPeer(wrapping: WrappingFactory(wrapping: inside)))
            let port = try reactor.listenTCP(port: 0, factory: factory, interface: "127.0.0.1")
            let number = port.number
            reactor.inBackground {
                try RawSocket(connectedTo: number).expectEnd()
            } then: {
                refused = port.statistics.refused
                reactor.stop()
            }
        }
        #expect(refused == 1)
        #expect(log.entries.isEmpty)
    }

    @Test func anInsideThatThrowsClosesTheConnectionAndIsLogged() throws {
        let log = RecordedLog()
        try withReactor(log: log) { reactor in
            let factory = WrappingFactory(wrapping: Factory { () -> Twill::Protocol in throw NoProtocol() })
            let port = try reactor.listenTCP(port: 0, factory: factory, interface: "127.0.0.1").number
            reactor.runClient { try RawSocket(connectedTo: port).expectEnd() }
        }
        #expect(log.count(containing: "buildProtocol threw: NoProtocol()") == 1)
    }

    @Test func aClientFactoryInsideHearsHowConnectingWent() throws {
        let inside = RecordingClientFactory { Recorder() }
        try withReactor { reactor in
            let port = try reactor.listenTCP(port: 0, factory: Factory { Recorder() }, interface: "127.0.0.1")
            let number = port.number
            var attempts = 0
            inside.whenLost = { connector, _ in
                attempts += 1
                // The second attempt finds nobody.
                if attempts == 1 {
                    port.stopListening()
                    try connector.connect()
                }
            }
            inside.whenStarted = { connector in reactor.callLater(.milliseconds(20)) { [weak connector] in connector?.disconnect() } }
            inside.whenStopped = { reactor.stop() }
            let outside = WrappingFactory(wrapping: TimeoutFactory(wrapping: inside))
            try reactor.connectTCP(host: "127.0.0.1", port: number, factory: outside)
        }
        #expect(inside.events == [.start, .startedConnecting, .lost(.done), .startedConnecting, .failed(.refused), .stop])
    }
}
