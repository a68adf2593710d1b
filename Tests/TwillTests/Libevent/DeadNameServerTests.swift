import Dispatch
import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

/// Name servers that don't answer: whoever asks them waits, and nobody else.
///
/// A canary's messages go to and fro on the same reactor meanwhile. Its round trips are compared with those it made before the first look-up, on
/// the same machine that is as busy as it may be. No look-up ends before the reactor does, so a reactor that waited for one would never come
/// through; that they did not end is checked.
@Suite("Dead name servers", .nothingLivesOn)
struct DeadNameServerTests {
    /// A connection that is never without a message on its way, and notes how long each took to come back.
    private final class Canary {
        private final class Echo: Twill::Protocol {
            override func dataReceived(_ data: Span<UInt8>) { transport.write(data) }
        }

        private final class Sender: Twill::Protocol {
            private unowned let canary: Canary

            init(_ canary: Canary) {
                self.canary = canary
            }

            override func connectionMade() { canary.send(transport) }

            override func dataReceived(_ data: Span<UInt8>) throws { try canary.returned(transport) }
        }

        let port: Int
        private unowned let reactor: any Reactor
        private var sent: ReactorClock.Instant
        private(set) var roundTrips: [Duration] = []
        /// Called after each.
        var afterEach: (() throws -> Void)?

        init(_ reactor: any Reactor) throws {
            self.reactor = reactor
            sent = reactor.now
            port = try reactor.listenTCP(port: 0, factory: Factory { Echo() }, interface: "127.0.0.1").number
            try reactor.connectTCP(host: "127.0.0.1", port: port, factory: ClientFactory { [unowned self] in Sender(self) })
        }

        private func send(_ transport: Transport) {
            sent = reactor.now
            transport.write("a message of the canary's")
        }

        private func returned(_ transport: Transport) throws {
            roundTrips.append(sent.duration(to: reactor.now))
            try afterEach?()
            send(transport)
        }
    }

    /// What became of the attempts to connect to names that nobody looks up.
    private struct Outcome {
        /// How long each attempt took to fail, and how; without the one that was given up.
        var failures: [(after: Duration, reason: ConnectError)] = []
        /// Whether the one that was given up had ended three turns later.
        var wasCancelledAtOnce = false
        /// Whether somebody connected to an address meanwhile.
        var hasConnectedToAnAddress = false
        /// The canary's round trips before the first attempt and after it.
        var quiet: [Duration] = []
        var during: [Duration] = []
    }

    private static let quietCount = 1_000
    private static let nameCount = 200
    /// An attempt begins with every so manieth round trip: were each to hold the canary up, then far more than one in a hundred.
    private static let interval = 5
    /// The number of the attempt that is given up.
    private static let cancelled = 7

    /// Connects to dead names one after the other, with a canary on the same reactor, until all of them have failed.
    private func outcome(resolver: any Resolver, timeout: Duration, sourceLocation: SourceLocation = #_sourceLocation) throws -> Outcome {
        var outcome = Outcome()
        var begun = 0
        let canary = try withReactor(deadline: .seconds(60), sourceLocation: sourceLocation) { reactor in
            reactor.resolver = resolver
            let canary = try Canary(reactor)

            func connect(_ number: Int) throws {
                let start = reactor.now
                let factory = RecordingClientFactory { _ in nil }
                factory.whenFailed = { [unowned factory] _, reason in
                    factory.whenFailed = nil
                    if number != Self.cancelled { outcome.failures.append((start.duration(to: reactor.now), reason)) }
                    if outcome.failures.count == Self.nameCount - 1 { reactor.stop() }
                }
                let connector = try reactor.connectTCP(host: "dead-\(number).test", port: 1, factory: factory, timeout: timeout)
                guard number == Self.cancelled else { return }
                try connector.stopConnecting()
                reactor.afterTurns(3) { outcome.wasCancelledAtOnce = factory.failure == .cancelled }
            }

            canary.afterEach = { [unowned reactor, unowned canary] in
                let count = canary.roundTrips.count - Self.quietCount
                guard count >= 0, count % Self.interval == 0, begun < Self.nameCount else { return }
                try connect(begun)
                begun += 1
                guard begun == Self.nameCount / 2 else { return }
                try reactor.connectTCP(
                    host: "127.0.0.1", port: canary.port,
                    factory: RecordingClientFactory { _ in
                        outcome.hasConnectedToAnAddress = true
                        return nil
                    })
            }
            return canary
        }
        canary.afterEach = nil
        outcome.quiet = Array(canary.roundTrips.prefix(Self.quietCount))
        outcome.during = Array(canary.roundTrips.dropFirst(Self.quietCount))
        return outcome
    }

    /// The round trip that 99 of a hundred are not longer than.
    private func p99(_ roundTrips: [Duration]) -> Duration {
        roundTrips.sorted().dropLast(roundTrips.count / 100).last ?? .zero
    }

    private func expectNobodyWasHeldUp(_ outcome: Outcome, sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(outcome.during.count >= Self.nameCount * Self.interval, sourceLocation: sourceLocation)
        let (quiet, during) = (p99(outcome.quiet), p99(outcome.during))
        #expect(during < max(.milliseconds(50), quiet * 4), "quiet \(quiet)", sourceLocation: sourceLocation)
        #expect(outcome.wasCancelledAtOnce, sourceLocation: sourceLocation)
        #expect(outcome.hasConnectedToAnAddress, sourceLocation: sourceLocation)
    }

    /// A look-up that ends when it is let, which is after the reactor's end, unless somebody waits for it.
    private final class Hang: Sendable {
        private static let longest = DispatchTimeInterval.seconds(10)
        private let gate = DispatchSemaphore(value: 0)
        let begun = Counter()
        let ended = Counter()

        func lookUp(_ name: String) throws(ResolveError) -> [Address] {
            begun.add()
            if ended.value == 0 { _ = gate.wait(timeout: .now() + Self.longest) }
            ended.add()
            throw ResolveError(name: name, message: "too late")
        }

        func end() {
            for _ in 0..<DeadNameServerTests.nameCount { gate.signal() }
        }
    }

    @Test func lookUpsThatHangHoldUpNobodyAndEndAtTheResolversDeadline() throws {
        let hang = Hang()
        let deadline = Duration.milliseconds(200)
        let resolver = SystemResolver(deadline: deadline, threadsMax: 4) { name throws(ResolveError) in try hang.lookUp(name) }
        let outcome = try outcome(resolver: resolver, timeout: .seconds(30))
        #expect(hang.begun.value == 4)
        #expect(hang.ended.value == 0)
        expectNobodyWasHeldUp(outcome)
        for (after, reason) in outcome.failures {
            #expect(reason == .unknownHost)
            #expect((reason.underlying as? ResolveError)?.message.contains("no answer within") == true)
            #expect(after >= deadline && after < .seconds(10))
        }
        hang.end()
    }

    @Test func lookUpsThatHangHoldUpNobodyAndEndAtTheConnectorsTimeout() throws {
        let hang = Hang()
        let timeout = Duration.milliseconds(200)
        let resolver = SystemResolver(deadline: .seconds(20), threadsMax: 2) { name throws(ResolveError) in try hang.lookUp(name) }
        let outcome = try outcome(resolver: resolver, timeout: timeout)
        #expect(hang.begun.value == 2)
        #expect(hang.ended.value == 0)
        expectNobodyWasHeldUp(outcome)
        for (after, reason) in outcome.failures {
            #expect(reason == .timedOut)
            #expect(after >= timeout && after < .seconds(10))
        }
        hang.end()
    }

    /// Answers nobody.
    private final class SilentResolver: Resolver {
        var asked = 0
        var cancelled = 0

        func resolve(
            _ name: String, on reactor: any Reactor, completion: @escaping (Result<[Address], ResolveError>) -> Void
        ) -> () -> Void {
            asked += 1
            return { self.cancelled += 1 }
        }
    }

    @Test func aResolverThatNeverAnswersHoldsUpNobodyAndIsToldToStop() throws {
        let resolver = SilentResolver()
        let timeout = Duration.milliseconds(200)
        let outcome = try outcome(resolver: resolver, timeout: timeout)
        expectNobodyWasHeldUp(outcome)
        #expect(resolver.asked == Self.nameCount)
        #expect(resolver.cancelled == Self.nameCount)
        for (after, reason) in outcome.failures {
            #expect(reason == .timedOut)
            #expect(after >= timeout && after < .seconds(10))
        }
    }
}
