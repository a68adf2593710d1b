import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

@Suite("Connecting again", .nothingLivesOn)
struct ReconnectingClientFactoryTests {
    /// A factory whose attempts the test ends itself, in virtual time. It waits 1, 2, 4 … seconds.
    private final class Harness {
        let reactor = VirtualReactor()
        let factory = CountingFactory()
        let connector: Connector

        init(_ configure: (CountingFactory) -> Void = { _ in }) throws {
            factory.backoff = Backoff(maxDelay: .seconds(10), factor: 2, jitter: 0)
            configure(factory)
            connector = Connector(reactor: reactor, destination: "hub:80", factory: factory) { [factory] connector in
                factory.attempts += 1
                return { connector.reactor.callLater(.zero) { connector.connectionFailed(.cancelled) } }
            }
            try connector.connect()
        }

        deinit { reactor.end() }

        func fail() { connector.connectionFailed(.refused) }

        func succeed() throws {
            _ = try connector.buildProtocol(.unix(""), transport: Transport())
            connector.connectionMade()
        }

        func lose(_ reason: ConnectionLost = .done) { connector.connectionLost(reason) }
    }

    private final class CountingFactory: ReconnectingClientFactory {
        var attempts = 0
        var starts = 0

        override func startFactory() { starts += 1 }
        override func stopFactory() { starts -= 1 }
        override func buildProtocol(_ address: Address) -> Twill::Protocol? { Recorder() }
    }

    @Test func failedAttemptIsMadeAgainAfterAWaitThatGrows() throws {
        let harness = try Harness()
        var waits: [Duration] = []
        for attempt in 2...6 {
            let failedAt = harness.reactor.now
            harness.fail()
            #expect(harness.factory.starts == 0, "during the wait nothing uses the factory")
            let next = try #require(harness.factory.nextAttemptTime)
            waits.append(failedAt.duration(to: next))
            try harness.reactor.advance(by: waits[attempt - 2] - .nanoseconds(1))
            #expect(harness.factory.attempts == attempt - 1)
            try harness.reactor.advance(by: .nanoseconds(1))
            #expect(harness.factory.attempts == attempt)
            #expect(harness.factory.nextAttemptTime == nil)
        }
        #expect(waits == [.seconds(1), .seconds(2), .seconds(4), .seconds(8), .seconds(10)])
        #expect(harness.factory.retries == 5)
    }

    @Test func lostConnectionIsMadeAgainAndAShortOneDoesNotCountAsSuccess() throws {
        let harness = try Harness()
        for expected in [1, 2, 4] {
            try harness.succeed()
            try harness.reactor.advance(by: .seconds(59))
            harness.lose()
            let next = try #require(harness.factory.nextAttemptTime)
            #expect(harness.reactor.now.duration(to: next) == .seconds(expected))
            try harness.reactor.advance(by: .seconds(expected))
        }
    }

    @Test func connectionThatLastsMakesTheWaitsShortAgain() throws {
        let harness = try Harness()
        harness.fail()
        try harness.reactor.advance(by: .seconds(1))
        harness.fail()
        try harness.reactor.advance(by: .seconds(2))
        try harness.succeed()
        try harness.reactor.advance(by: .seconds(60))
        #expect(harness.factory.retries == 0)
        harness.lose(.lost)
        try harness.reactor.advance(by: .seconds(1))
        #expect(harness.factory.attempts == 4)
    }

    @Test func onlyItsOwnCallsResetItWhereThatIsAskedFor() throws {
        let harness = try Harness { $0.stableAfter = nil }
        harness.fail()
        try harness.reactor.advance(by: .seconds(1))
        try harness.succeed()
        try harness.reactor.advance(by: .seconds(100_000))
        #expect(harness.factory.retries == 1)
        harness.factory.resetDelay()
        harness.lose()
        try harness.reactor.advance(by: .seconds(1))
        #expect(harness.factory.attempts == 3)
    }

    @Test func itGivesUpAfterSoManyRetries() throws {
        let harness = try Harness { $0.maxRetries = 2 }
        for _ in 0..<3 {
            harness.fail()
            try harness.reactor.advance(by: .seconds(100))
        }
        #expect(harness.factory.attempts == 3)
        #expect(harness.reactor.log.entries.contains { $0.contains("gives up on hub:80 after 2 retries") })
    }

    @Test func stopTryingEndsTheWait() throws {
        let harness = try Harness()
        harness.fail()
        harness.factory.stopTrying()
        try harness.reactor.advance(by: .seconds(100))
        #expect(harness.factory.attempts == 1)
        #expect(harness.factory.nextAttemptTime == nil)
        // An attempt of one's own begins anew.
        harness.factory.resetDelay()
        try harness.connector.connect()
        harness.fail()
        try harness.reactor.advance(by: .seconds(1))
        #expect(harness.factory.attempts == 3)
    }

    @Test func stopTryingCancelsTheAttempt() throws {
        let harness = try Harness()
        harness.factory.stopTrying()
        try harness.reactor.advance(by: .seconds(100))
        #expect(harness.connector.state == .disconnected)
        #expect(harness.factory.attempts == 1)
    }

    @Test func stopTryingLeavesTheConnectionAlone() throws {
        let harness = try Harness()
        try harness.succeed()
        harness.factory.stopTrying()
        #expect(harness.connector.state == .connected)
        harness.lose()
        try harness.reactor.advance(by: .seconds(100))
        #expect(harness.factory.attempts == 1)
    }

    @Test func whatWasCancelledIsNotMadeAgain() throws {
        let harness = try Harness()
        try harness.connector.stopConnecting()
        try harness.reactor.advance(by: .seconds(100))
        #expect(harness.factory.attempts == 1)
    }

    @Test func nothingIsMadeAgainWhenTheReactorStops() throws {
        let harness = try Harness()
        try harness.succeed()
        harness.lose(.reactorStopped)
        try harness.reactor.advance(by: .seconds(100))
        #expect(harness.factory.attempts == 1)
    }

    @Test func chanceIsTheReactors() throws {
        func wait() throws -> Duration {
            let harness = try Harness { $0.backoff = Backoff() }
            harness.reactor.randomNumbers = SeededGenerator(seed: 7)
            harness.fail()
            return harness.reactor.now.duration(to: try #require(harness.factory.nextAttemptTime))
        }
        #expect(try wait() == wait())
    }

    @Test func aServerThatComesBackIsFoundAgain() throws {
        let (listener, number) = try RawSocket.listener(backlog: 4)
        listener.close()
        let factory = CountingFactory()
        factory.backoff = Backoff(initialDelay: .milliseconds(10), maxDelay: .milliseconds(20))
        try withReactor { reactor in
            reactor.callWhenRunning { try reactor.connectTCP(host: "127.0.0.1", port: number, factory: factory) }
            reactor.when {
                factory.retries >= 3
            } then: {
                // Somebody listens now, drops the first connection, and keeps the second.
                var peers = 0
                try reactor.listenTCP(
                    port: number,
                    factory: Factory {
                        peers += 1
                        let server = Recorder()
                        server.whenMade = { [peers] in if peers == 1 { $0.transport.loseConnection() } else { reactor.stop() } }
                        return server
                    }, interface: "127.0.0.1")
            }
        }
        #expect(factory.retries >= 4)
        #expect(factory.nextAttemptTime == nil)
    }
}
