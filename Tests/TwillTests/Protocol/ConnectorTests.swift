import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

@Suite("Connectors, without a network", .nothingLivesOn)
struct ConnectorTests {
    private struct Refusal: Error {}

    /// A connector whose attempts the test ends itself.
    private final class Harness {
        let log = RecordedLog()
        let factory = RecordingClientFactory { Recorder() }
        let reactor: LibeventReactor
        let connector: Connector
        private let dialling: Dialling

        private final class Dialling {
            var dials = 0
            var cancels = 0
        }

        init() throws {
            reactor = try LibeventReactor(logger: log.logger)
            let dialling = Dialling()
            self.dialling = dialling
            connector = Connector(reactor: reactor, destination: "example.com:80", factory: factory) { _ in
                dialling.dials += 1
                return { dialling.cancels += 1 }
            }
        }

        var dials: Int { dialling.dials }
        var cancels: Int { dialling.cancels }

        func succeed() throws -> Twill::Protocol? {
            try connector.buildProtocol(.unix(""), transport: Transport())
        }
    }

    @Test func anAttemptBeginsWithTheFactory() throws {
        let harness = try Harness()
        #expect(harness.connector.state == .disconnected)
        try harness.connector.connect()
        #expect(harness.connector.state == .connecting)
        #expect(harness.factory.events == [.start, .startedConnecting])
        #expect(harness.dials == 1)
        #expect(harness.connector.destination == "example.com:80")
    }

    @Test func anAttemptThatSucceedsIsConnectedUntilItIsLost() throws {
        let harness = try Harness()
        try harness.connector.connect()
        #expect(try harness.succeed()?.factory === harness.factory)
        #expect(harness.connector.state == .connected)
        harness.connector.connectionLost(.done)
        #expect(harness.connector.state == .disconnected)
        #expect(harness.factory.events == [.start, .startedConnecting, .lost(.done), .stop])
    }

    @Test func anAttemptThatFailsLetsTheFactoryGo() throws {
        let harness = try Harness()
        try harness.connector.connect()
        harness.connector.connectionFailed(.refused)
        #expect(harness.connector.state == .disconnected)
        #expect(harness.factory.events == [.start, .startedConnecting, .failed(.refused), .stop])
        #expect(harness.factory.userCount == 0)
    }

    @Test func connectingTwiceIsAnError() throws {
        let harness = try Harness()
        try harness.connector.connect()
        #expect(throws: ConnectorError.notDisconnected) { try harness.connector.connect() }
        _ = try harness.succeed()
        #expect(throws: ConnectorError.notDisconnected) { try harness.connector.connect() }
        #expect(harness.dials == 1)
    }

    @Test func onlyAnAttemptCanBeStopped() throws {
        let harness = try Harness()
        #expect(throws: ConnectorError.notConnecting) { try harness.connector.stopConnecting() }
        try harness.connector.connect()
        try harness.connector.stopConnecting()
        #expect(harness.cancels == 1)
        harness.connector.connectionFailed(.cancelled)
        #expect(throws: ConnectorError.notConnecting) { try harness.connector.stopConnecting() }
        try harness.connector.connect()
        _ = try harness.succeed()
        #expect(throws: ConnectorError.notConnecting) { try harness.connector.stopConnecting() }
    }

    @Test func anAttemptIsStoppedOnceOnly() throws {
        let harness = try Harness()
        try harness.connector.connect()
        try harness.connector.stopConnecting()
        #expect(throws: ConnectorError.notConnecting) { try harness.connector.stopConnecting() }
        #expect(harness.cancels == 1)
    }

    @Test func disconnectingEndsWhateverIsUnderWay() throws {
        let harness = try Harness()
        harness.connector.disconnect()
        #expect(harness.factory.events.isEmpty)
        try harness.connector.connect()
        harness.connector.disconnect()
        harness.connector.disconnect()
        #expect(harness.cancels >= 1)
    }

    @Test func tryingAgainInsideAFailureKeepsTheFactory() throws {
        let harness = try Harness()
        harness.factory.whenFailed = { connector, _ in if harness.dials < 3 { try connector.connect() } }
        try harness.connector.connect()
        for _ in 0..<3 { harness.connector.connectionFailed(.refused) }
        let attempt: [FactoryEvent] = [.startedConnecting, .failed(.refused)]
        #expect(harness.factory.events == [.start] + attempt + attempt + attempt + [.stop])
    }

    @Test func tryingAgainInsideALossKeepsTheFactory() throws {
        let harness = try Harness()
        harness.factory.whenLost = { connector, _ in if harness.dials < 2 { try connector.connect() } }
        try harness.connector.connect()
        _ = try harness.succeed()
        harness.connector.connectionLost(.lost)
        #expect(harness.connector.state == .connecting)
        #expect(harness.factory.events == [.start, .startedConnecting, .lost(.lost), .startedConnecting])
    }

    @Test func tryingAgainLaterStartsTheFactoryAgain() throws {
        let harness = try Harness()
        try harness.connector.connect()
        harness.connector.connectionFailed(.refused)
        try harness.connector.connect()
        #expect(harness.factory.events == [.start, .startedConnecting, .failed(.refused), .stop, .start, .startedConnecting])
    }

    @Test func whatTheFactoryThrowsIsLogged() throws {
        let harness = try Harness()
        harness.factory.whenStarted = { _ in throw Refusal() }
        harness.factory.whenFailed = { _, _ in throw Refusal() }
        harness.factory.whenLost = { _, _ in throw Refusal() }
        try harness.connector.connect()
        harness.connector.connectionFailed(.refused)
        try harness.connector.connect()
        _ = try harness.succeed()
        harness.connector.connectionLost(.done)
        #expect(harness.log.count(containing: "startedConnecting threw: Refusal()") == 2)
        #expect(harness.log.count(containing: "clientConnectionFailed threw: Refusal()") == 1)
        #expect(harness.log.count(containing: "clientConnectionLost threw: Refusal()") == 1)
    }

    @Test func aFactoryThatWillNotStartMakesNoAttempt() throws {
        final class Failing: ClientFactory {
            override func startFactory() throws { throw Refusal() }
        }
        let reactor = try LibeventReactor()
        let connector = Connector(reactor: reactor, destination: "", factory: Failing()) { _ in
            Issue.record("there is nobody to connect for")
            return {}
        }
        #expect(throws: Refusal.self) { try connector.connect() }
        #expect(connector.state == .disconnected)
    }
}
