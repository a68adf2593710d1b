import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

@Suite(.nothingLivesOn) final class LimitTotalConnectionsFactoryTests {
    private final class Busy: Twill::Protocol {
        override func connectionMade() {
            transport.write("busy")
            transport.loseConnection()
        }
    }

    private let reactor = VirtualReactor()

    deinit { reactor.end() }

    @Test func oneTooManyIsRefusedUntilAnotherHasEnded() throws {
        let factory = LimitTotalConnectionsFactory(wrapping: Factory { Recorder() }, connectionsMax: 2)
        let first = try reactor.connection(to: factory)
        let second = try reactor.connection(to: factory)
        #expect(try VirtualTransport(reactor, to: factory) == nil)
        #expect(factory.connectionCount == 2)
        first.lose()
        #expect(factory.connectionCount == 1)
        #expect(try VirtualTransport(reactor, to: factory) != nil)
        #expect(try VirtualTransport(reactor, to: factory) == nil)
        second.lose()
    }

    @Test func aConnectionThatNeverCameAboutTakesNoPlace() throws {
        struct Mistake: Error {}
        var answer: () throws -> Twill::Protocol? = { nil }
        let factory = LimitTotalConnectionsFactory(wrapping: Factory { _ in try answer() }, connectionsMax: 1)
        #expect(try factory.protocolForConnection(from: .unknown) == nil)
        answer = { throw Mistake() }
        #expect(throws: Mistake.self) { try factory.protocolForConnection(from: .unknown) }
        answer = { Recorder() }
        // One that is made and dropped before it is connected.
        #expect(try factory.protocolForConnection(from: .unknown) != nil)
        #expect(factory.connectionCount == 0)
    }

    @Test func aPolicyThatSomebodyKeepsGivesItsPlaceBackAllTheSame() throws {
        let factory = LimitTotalConnectionsFactory(wrapping: Factory { Recorder() }, connectionsMax: 1)
        let handler = try #require(try factory.protocolForConnection(from: .unknown))
        let transport = VirtualTransport(reactor)
        transport.connect(handler)
        #expect(factory.connectionCount == 1)
        transport.lose()
        #expect(factory.connectionCount == 0)
        withExtendedLifetime(handler) {}
    }

    @Test func noConnectionAtAllMayBeAllowed() throws {
        let factory = LimitTotalConnectionsFactory(wrapping: Factory { Recorder() }, connectionsMax: 0)
        #expect(try VirtualTransport(reactor, to: factory) == nil)
    }

    @Test func theOverflowHearsWhyAndTakesNoPlace() throws {
        let factory = LimitTotalConnectionsFactory(wrapping: Factory { Recorder() }, connectionsMax: 1) { Busy() }
        let first = try reactor.connection(to: factory)
        let second = try reactor.connection(to: factory)
        #expect(second.written == "busy")
        #expect(factory.connectionCount == 1)
        first.lose()
        #expect(factory.connectionCount == 0)
        let third = try reactor.connection(to: factory)
        #expect(third.written == "")
    }

    @Test func realPeersThatAreTooManyHearWhy() throws {
        try withReactor { reactor in
            let welcome = Factory { () -> Recorder in
                let recorder = Recorder()
                recorder.whenMade = { $0.transport.write("welcome") }
                return recorder
            }
            let factory = LimitTotalConnectionsFactory(wrapping: welcome, connectionsMax: 1) { Busy() }
            let port = try reactor.listenTCP(port: 0, factory: factory, interface: "127.0.0.1").number
            reactor.runClient {
                let first = try RawSocket(connectedTo: port)
                try first.expect("welcome")
                for _ in 0..<3 {
                    let other = try RawSocket(connectedTo: port)
                    try other.expect("busy")
                    try other.expectEnd()
                }
                first.shutdownWriting()
                try first.expectEnd()
                try RawSocket(connectedTo: port).expect("welcome")
            }
        }
    }
}

@Suite(.nothingLivesOn) final class LimitConnectionsByPeerTests {
    private let reactor = VirtualReactor()

    deinit { reactor.end() }

    private func address(_ host: String, port: UInt16) throws -> Address {
        try #require(Address(host: host, port: port))
    }

    @Test func fiveIsTheDefault() {
        #expect(LimitConnectionsByPeer(wrapping: Factory()).connectionsMax == 5)
    }

    // M08: in Twisted 26.10 every connection fails.
    @Test func eachHostHasItsOwnConnectionsWhateverItsPorts() throws {
        let factory = LimitConnectionsByPeer(wrapping: Factory { Recorder() }, connectionsMax: 2)
        var open: [VirtualTransport] = []
        for host in ["10.0.0.1", "10.0.0.2", "2001:db8::1"] {
            for port in 1...2 {
                open.append(try reactor.connection(to: factory, from: address(host, port: UInt16(port))))
            }
            #expect(try VirtualTransport(reactor, to: factory, from: address(host, port: 3)) == nil)
            #expect(factory.connectionCount(of: host) == 2)
        }
        open[0].lose()
        #expect(factory.connectionCount(of: "10.0.0.1") == 1)
        #expect(try VirtualTransport(reactor, to: factory, from: address("10.0.0.2", port: 4)) == nil)
        open.append(try reactor.connection(to: factory, from: address("10.0.0.1", port: 4)))
        for transport in open { transport.lose() }
        for host in ["10.0.0.1", "10.0.0.2", "2001:db8::1"] { #expect(factory.connectionCount(of: host) == 0) }
    }

    @Test func aConnectionThatNeverCameAboutTakesNoPlace() throws {
        let factory = LimitConnectionsByPeer(wrapping: Factory { _ -> Twill::Protocol? in nil }, connectionsMax: 1)
        #expect(try factory.protocolForConnection(from: address("10.0.0.1", port: 1)) == nil)
        #expect(factory.connectionCount(of: "10.0.0.1") == 0)
    }

    @Test func peersWithoutAHostAreNotLimited() throws {
        let factory = LimitConnectionsByPeer(wrapping: Factory { Recorder() }, connectionsMax: 1)
        var open: [VirtualTransport] = []
        for peer in [Address.unix(""), .unix(""), .unix("/run/a"), .unix("/run/a"), .unknown, .unknown] {
            open.append(try reactor.connection(to: factory, from: peer))
        }
        #expect(open.count == 6)
    }

    @Test func aRealHostWithTooManyIsRefusedUntilOneHasEnded() throws {
        try withReactor { reactor in
            let factory = LimitConnectionsByPeer(
                wrapping: Factory {
                    let recorder = Recorder()
                    recorder.whenMade = { $0.transport.write("welcome") }
                    return recorder
                }, connectionsMax: 2)
            let port = try reactor.listenTCP(port: 0, factory: factory, interface: "127.0.0.1").number
            reactor.runClient {
                let first = try RawSocket(connectedTo: port)
                try first.expect("welcome")
                let second = try RawSocket(connectedTo: port)
                try second.expect("welcome")
                try RawSocket(connectedTo: port).expectEnd()
                first.shutdownWriting()
                try first.expectEnd()
                try RawSocket(connectedTo: port).expect("welcome")
            }
        }
    }
}
