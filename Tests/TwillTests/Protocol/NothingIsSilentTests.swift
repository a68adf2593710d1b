import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

/// What goes wrong because of the program is told where nobody has asked to hear of it.
@Suite("Nothing goes wrong in silence", .nothingLivesOn)
struct NothingIsSilentTests {
    private struct Mistake: Error {}

    @Test func aProtocolIsNotGivenASecondConnection() throws {
        let log = RecordedLog()
        let (only, first, second) = (Recorder(), Recorder(), Recorder())
        only.whenData = { $0.transport.write("for \($0.text)") }
        first.whenMade = { $0.transport.write("first") }
        second.whenLost = { _, _ in first.transport.loseConnection() }
        try withReactor(log: log) { reactor in
            let port = try reactor.listenTCP(port: 0, factory: Factory { [unowned only] _ in only }, interface: "127.0.0.1")
            try reactor.connectTCP(host: "127.0.0.1", port: port.number, factory: ClientFactory { [unowned first] _ in first })
            reactor.when {
                first.text == "for first"
            } then: { [unowned reactor] in
                try reactor.connectTCP(host: "127.0.0.1", port: port.number, factory: ClientFactory { [unowned second] _ in second })
                reactor.when {
                    only.lossCount > 0 && first.lossCount > 0
                } then: { [unowned reactor] in
                    reactor.stop()
                }
            }
        }
        #expect(first.text == "for first")
        #expect(second.received == [])
        #expect(
            log.entries == [
                "error: Factory.buildProtocol threw: the factory gave a Recorder that has, or had, another connection: it must make a new one for "
                    + "each, as Factory { Recorder(…) } does"
            ])
    }

    @Test func anAttemptThatFailsIsLoggedByAFactoryThatDoesNotAsk() throws {
        let log = RecordedLog()
        try withReactor(log: log) { reactor in
            let connector = try reactor.connectTCP(host: "127.0.0.1", port: 1, factory: ClientFactory { Recorder() })
            reactor.when {
                connector.state == .disconnected
            } then: { [unowned reactor] in
                reactor.stop()
            }
        }
        #expect(log.entries == ["warning: Couldn't connect to 127.0.0.1:1: connection refused; is the server running?"])
    }

    @Test func whatATaskThrowsIsLoggedUnlessItWasCancelled() throws {
        let log = RecordedLog()
        try withReactor(log: log) { reactor in
            reactor.task { _ in throw Mistake() }
            reactor.task { reactor in try await reactor.sleep(for: .seconds(3600)) }.cancel()
            // Somebody waits for a result.
            reactor.task { _ -> Int in throw Mistake() }
            reactor.callLater(.milliseconds(20)) { [unowned reactor] in reactor.stop() }
        }
        #expect(log.entries == ["error: a task threw: Mistake()"])
    }

    @Test(arguments: [true, false])
    func whatThePeerDidWrongIsForThoseWhoAskForDebug(isAskedFor: Bool) throws {
        final class Rejecting: LineReceiver {
            override func lineReceived(_ line: Span<UInt8>) throws { _ = try String(validating: line) }
        }
        let log = RecordedLog(level: isAskedFor ? .debug : .info)
        let client = Recorder()
        client.whenMade = { $0.transport.write([0xFF, 0x0D, 0x0A]) }
        try withReactor(log: log) { reactor in
            let port = try reactor.listenTCP(port: 0, factory: Factory { Rejecting() }, interface: "127.0.0.1")
            client.whenLost = { [unowned reactor] _, _ in reactor.stop() }
            try reactor.connectTCP(host: "127.0.0.1", port: port.number, factory: ClientFactory { [unowned client] _ in client })
        }
        #expect(log.entries.contains { $0.hasPrefix("debug: Rejecting.") } == isAskedFor, "\(log.entries)")
        #expect(!log.entries.contains { $0.hasPrefix("error: ") })
    }
}
