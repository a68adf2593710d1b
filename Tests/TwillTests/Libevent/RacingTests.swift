import Dispatch
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

/// Connecting by name, over real sockets and with names of the test's own.
///
/// A listening socket that accepts nobody and whose queue is full answers no further connection: the attempt hangs, as one does to a host that is
/// switched off.
@Suite("Racing a name's addresses", .nothingLivesOn)
struct RacingTests {
    /// Such a listener, on an address of its own.
    private final class Hanging {
        let port: Int
        private let listener: RawSocket
        private let queued: RawSocket

        init(host: String) throws {
            (listener, port) = try RawSocket.listener(backlog: 0, host: host)
            queued = try RawSocket(connectedTo: port, host: host)
        }

        deinit {
            queued.close()
            listener.close()
        }
    }

    @Test func theSecondAddressIsTriedAtOnceWhereTheFirstRefuses() throws {
        let factory = RecordingClientFactory { Recorder() }
        let elapsed = Shared(Duration.zero)
        try withReactor { reactor in
            let port = try reactor.listenTCP(port: 0, factory: Factory { Recorder() }, interface: "127.0.0.2").number
            reactor.resolver = TableResolver(["two.test": ["127.0.0.3", "127.0.0.2"]])
            let start = reactor.now
            factory.whenLost = { _, _ in reactor.stop() }
            let connector = try reactor.connectTCP(host: "two.test", port: port, factory: factory)
            reactor.when {
                connector.state == .connected
            } then: {
                elapsed.value = start.duration(to: reactor.now)
                connector.disconnect()
            }
        }
        #expect(factory.failure == nil)
        #expect(elapsed.value < HappyEyeballs.headStart)
        factory.whenLost = nil
    }

    @Test func theFirstThatAnswersWinsAndTheOthersAreGivenUp() throws {
        let hanging = try Hanging(host: "127.0.0.3")
        let factory = RecordingClientFactory { Recorder() }
        let elapsed = Shared(Duration.zero)
        try withReactor { reactor in
            try reactor.listenTCP(port: hanging.port, factory: Factory { Recorder() }, interface: "127.0.0.2")
            reactor.resolver = TableResolver(["slow.test": ["127.0.0.3", "127.0.0.2"]])
            let start = reactor.now
            let connector = try reactor.connectTCP(host: "slow.test", port: hanging.port, factory: factory)
            factory.whenLost = { _, _ in reactor.stop() }
            reactor.when {
                connector.state == .connected
            } then: {
                elapsed.value = start.duration(to: reactor.now)
                connector.disconnect()
            }
        }
        factory.whenLost = nil
        #expect(elapsed.value >= HappyEyeballs.headStart)
        #expect(elapsed.value < .seconds(5))
    }

    @Test func whereAllFailTheErrorNamesEachOfThem() throws {
        let factory = RecordingClientFactory { Recorder() }
        try withReactor { reactor in
            reactor.resolver = TableResolver(["none.test": ["127.0.0.3", "127.0.0.2"]])
            factory.whenFailed = { _, _ in reactor.stop() }
            try reactor.connectTCP(host: "none.test", port: 1, factory: factory)
        }
        let failure = try #require(factory.failure)
        #expect(failure == .refused)
        #expect(failure.errno == ECONNREFUSED)
        #expect(failure.failures.map(\.address.host) == ["127.0.0.3", "127.0.0.2"])
        #expect(failure.description.contains("127.0.0.3:1: connection refused"))
        #expect(failure.description.contains("127.0.0.2:1: connection refused"))
        factory.whenFailed = nil
    }

    @Test func aNameThatIsNotFoundIsAnErrorOfItsOwn() throws {
        let factory = RecordingClientFactory { Recorder() }
        try withReactor { reactor in
            reactor.resolver = TableResolver([:])
            factory.whenFailed = { _, _ in reactor.stop() }
            try reactor.connectTCP(host: "nowhere.test", port: 1, factory: factory)
        }
        #expect(factory.failure == .unknownHost)
        #expect(factory.failure?.underlying is ResolveError)
        factory.whenFailed = nil
    }

    @Test func cancellingEndsTheLookUpAndNothingIsDialledAfterIt() throws {
        let resolver = TableResolver(["late.test": ["127.0.0.1"]], delay: .milliseconds(100))
        let factory = RecordingClientFactory { Recorder() }
        let accepted = try withReactor { reactor in
            let port = try reactor.listenTCP(port: 0, factory: Factory { Recorder() }, interface: "127.0.0.1")
            reactor.resolver = resolver
            let connector = try reactor.connectTCP(host: "late.test", port: port.number, factory: factory)
            reactor.callLater(.milliseconds(10)) { try connector.stopConnecting() }
            reactor.callLater(.milliseconds(300)) { [unowned reactor] in reactor.stop() }
            return port
        }
        #expect(factory.failure == .cancelled)
        #expect(resolver.cancelled == ["late.test"])
        #expect(accepted.statistics.accepted == 0)
    }

    @Test func cancellingBetweenTwoAttemptsBeginsNoOther() throws {
        let hanging = try Hanging(host: "127.0.0.3")
        let factory = RecordingClientFactory { Recorder() }
        let port = try withReactor { reactor in
            let port = try reactor.listenTCP(port: hanging.port, factory: Factory { Recorder() }, interface: "127.0.0.2")
            reactor.resolver = TableResolver(["slow.test": ["127.0.0.3", "127.0.0.2"]])
            let connector = try reactor.connectTCP(host: "slow.test", port: hanging.port, factory: factory)
            reactor.callLater(.milliseconds(50)) { try connector.stopConnecting() }
            reactor.callLater(HappyEyeballs.headStart * 2) { [unowned reactor] in reactor.stop() }
            return port
        }
        #expect(factory.failure == .cancelled)
        #expect(port.statistics.accepted == 0)
    }

    @Test func theTimeoutCountsTheLookUp() throws {
        let factory = RecordingClientFactory { Recorder() }
        try withReactor { reactor in
            reactor.resolver = TableResolver(["late.test": ["127.0.0.1"]], delay: .seconds(10))
            factory.whenFailed = { _, _ in reactor.stop() }
            try reactor.connectTCP(host: "late.test", port: 1, factory: factory, timeout: .milliseconds(50))
        }
        #expect(factory.failure == .timedOut)
        factory.whenFailed = nil
    }

    @Test func aLookUpThatHangsHoldsUpNobodyAndEndsAtItsDeadline() throws {
        let gate = DispatchSemaphore(value: 0)
        let factory = RecordingClientFactory { Recorder() }
        let turns = Counter()
        try withReactor { reactor in
            reactor.resolver = SystemResolver(deadline: .milliseconds(100), threadsMax: 1) { name throws(ResolveError) in
                gate.wait()
                throw ResolveError(name: name, message: "too late")
            }
            func turn() {
                guard factory.failure == nil else { return reactor.stop() }
                turns.add()
                reactor.callLater(.milliseconds(1), turn)
            }
            turn()
            try reactor.connectTCP(host: "dead.test", port: 1, factory: factory)
        }
        #expect(factory.failure == .unknownHost)
        #expect((factory.failure?.underlying as? ResolveError)?.message.contains("no answer within") == true)
        #expect(turns.value > 10)
        gate.signal()
    }
}
