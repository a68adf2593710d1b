import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

extension Conformance {
    /// What only real sockets can show, beside the cases that every reactor is held to.
    @Suite("What only real sockets show")
    struct OnSockets {
        @Test(
            "each kind of loop waits in its own way",
            arguments: [
                (StreamKind.tcpOnPoll, "poll"), (.tcpOnSelect, "select"),
            ])
        func eachWaitsInItsOwnWay(on kind: StreamKind, method: String) throws {
            let reactor = try #require(try kind.makeReactor(log: RecordedLog()) as? LibeventReactor)
            #expect(reactor.backendMethod == method)
            let best = try LibeventReactor()
            #expect(["epoll", "kqueue"].contains(best.backendMethod))
        }

        #if os(Linux)
        @Test("K05: an attempt without an answer times out", arguments: StreamKind.onTCPSockets)
        func anAttemptWithoutAnAnswer(on kind: StreamKind) throws {
            // A queue that is full makes the system drop what else comes; the peer never answers.
            let (listener, port) = try RawSocket.listener(backlog: 0)
            let first = try RawSocket(connectedTo: port)
            let factory = RecordingClientFactory { Recorder() }
            let start = ContinuousClock.now
            try withReactor(on: kind) { reactor in
                factory.whenStopped = { [unowned reactor] in reactor.afterTurns(3) { reactor.stop() } }
                try reactor.connectTCP(host: "127.0.0.1", port: port, factory: factory, timeout: .milliseconds(50))
            }
            factory.whenStopped = nil
            withExtendedLifetime((listener, first)) {}
            #expect(factory.events == [.start, .startedConnecting, .failed(.timedOut), .stop])
            #expect(ContinuousClock.now - start >= .milliseconds(50))
        }
        #endif

        @Test("K13: one turn accepts a limited number, and all are served in the end", arguments: StreamKind.onTCPSockets)
        func oneTurnAcceptsALimitedNumber(on kind: StreamKind) throws {
            let clients = Shared<[RawSocket]>([])
            var mostPerTurn = 0
            var served = 0
            try withReactor(on: kind) { reactor in
                var perTurn = 0
                reactor.everyTurn {
                    mostPerTurn = max(mostPerTurn, perTurn)
                    perTurn = 0
                }
                var binding = TCPBinding(port: 0, interface: "127.0.0.1")
                binding.acceptsPerTurn = 4
                let factory = Factory { () -> Recorder in
                    perTurn += 1
                    served += 1
                    if served == 30 { reactor.afterTurns(3) { reactor.stop() } }
                    return Recorder()
                }
                let port = try reactor.listenTCP(on: binding, factory: factory).number
                // They wait in the system's queue before the reactor runs.
                clients.value = try (0..<30).map { _ in try RawSocket(connectedTo: port) }
            }
            #expect(served == 30)
            #expect(mostPerTurn == 4)
        }

        /// Joins a pair whose server is paused with input unread, and runs `then` when it lies there.
        private func withUnreadInput(on kind: StreamKind, _ then: @escaping (Pair) throws -> Void) throws -> Pair {
            try withPair(on: kind) { pair in
                pair.server.whenMade = { $0.transport.pauseProducing() }
                pair.client.whenMade = { $0.transport.write("last words") }
                pair.reactor.when {
                    pair.reactor.statistics.connections.bytesSent > 0 && !pair.server.events.isEmpty
                } then: {
                    pair.reactor.afterTurns(3) { try then(pair) }
                }
            }
        }

        /// In a simulation the loss is noticed before it can write.
        @Test(
            "T13c: a paused connection that goes on writing hears that its peer is gone",
            arguments: StreamKind.withoutHeader.filter { !$0.isSimulated })
        func aPausedWriterHearsOfTheLoss(on kind: StreamKind) throws {
            let pair = try withUnreadInput(on: kind) { pair in
                pair.client.transport.abortConnection()
                pair.reactor.when {
                    pair.client.lossCount == 1
                } then: {
                    // The system answers the write; nobody waits for the next look at the connections that are not watched.
                    let start = ContinuousClock.now
                    pair.server.transport.write("anybody there?")
                    pair.server.transport.write([UInt8](repeating: 1, count: 100_000))
                    #expect(pair.server.lossCount == 0, "the loss is told on a later turn")
                    pair.server.whenLost = { _, _ in #expect(ContinuousClock.now - start < .milliseconds(500)) }
                }
            }
            #expect(pair.server.events == [.made, .lost(.lost)])
        }
    }
}
