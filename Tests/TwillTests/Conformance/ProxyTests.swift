import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

extension Conformance {
    @Suite("A proxy of two connections")
    struct Proxying {
        /// The most that a proxy may hold of one direction: the high mark, and one more piece of input.
        private static let mostHeld = (64 << 10) + (256 << 10)

        /// A client and a server with a proxy between them: what arrives at `front` leaves by `back`, and the other way round, each being
        /// the other's producer.
        private final class Proxy {
            let client: Recorder
            let server: Recorder
            let front = Recorder()
            let back = Recorder()
            private(set) var mostHeld = 0

            init(client: Recorder = Recorder(), server: Recorder = Recorder()) {
                self.client = client
                self.server = server
            }

            func start(_ reactor: any Reactor, on kind: StreamKind) throws {
                let inner = try kind.listen(reactor, factory: Factory { [weak server] _ in server })
                front.whenMade = { front in
                    front.transport.pauseProducing()
                    _ = try kind.connect(reactor, to: inner, factory: ClientFactory { [weak self] _ in self?.back })
                }
                back.whenMade = { [unowned self] back in
                    try front.transport.registerProducer(back.transport, streaming: true)
                    try back.transport.registerProducer(front.transport, streaming: true)
                    relay(from: front, to: back)
                    relay(from: back, to: front)
                    front.transport.resumeProducing()
                }
                let outer = try kind.listen(reactor, factory: Factory { [weak self] _ in self?.front })
                _ = try kind.connect(reactor, to: outer, factory: ClientFactory { [weak client] _ in client })
                reactor.when { [self] in
                    [client, server, front, back].allSatisfy { $0.lossCount > 0 }
                } then: {
                    reactor.afterTurns(3) { reactor.stop() }
                }
            }

            private func relay(from source: Recorder, to target: Recorder) {
                source.whenData = { [unowned self, unowned target] source in
                    let piece = source.received.suffix(source.pieces.last ?? 0)
                    target.transport.write(piece)
                    mostHeld = max(mostHeld, target.transport.bufferedByteCount)
                }
                source.whenLost = { [unowned target] _, _ in
                    target.transport.unregisterProducer()
                    target.transport.loseConnection()
                }
            }

            func expectWholeLives() {
                for end in [client, server, front, back] { end.expectWholeLife() }
            }
        }

        @Test("P01: a proxy holds bounded memory though its receiver is slow, and all arrives", arguments: StreamKind.allCases)
        func boundedMemory(on kind: StreamKind) throws {
            let proxy = Proxy()
            try withReactor(on: kind) { reactor in
                proxy.client.whenMade = {
                    for _ in 0..<2 { $0.transport.write(tooMuch.prefix(6 << 20)) }
                    $0.transport.loseConnection()
                }
                proxy.server.whenMade = { server in
                    server.transport.pauseProducing()
                    reactor.when {
                        reactor.statistics.connections.pausedProducers > 0
                    } then: {
                        server.transport.resumeProducing()
                    }
                }
                try proxy.start(reactor, on: kind)
            }
            proxy.expectWholeLives()
            expectSame(proxy.server.received, as: Array(tooMuch.prefix(6 << 20)) + Array(tooMuch.prefix(6 << 20)))
            #expect(proxy.mostHeld > 64 << 10)
            #expect(proxy.mostHeld <= Self.mostHeld)
        }

        @Test("P01: a proxy answers in both directions", arguments: StreamKind.allCases)
        func bothDirections(on kind: StreamKind) throws {
            let proxy = Proxy()
            try withReactor(on: kind) { reactor in
                proxy.client.whenMade = { $0.transport.write("question") }
                proxy.server.whenData = {
                    $0.transport.write("answer")
                    $0.transport.loseConnection()
                }
                try proxy.start(reactor, on: kind)
            }
            proxy.expectWholeLives()
            #expect(proxy.server.text == "question")
            #expect(proxy.client.text == "answer")
        }

        @Test("P06: when either end vanishes, the proxy closes the other", arguments: StreamKind.allCases, [false, true])
        func eitherEndVanishes(on kind: StreamKind, isClient: Bool) throws {
            let proxy = Proxy()
            try withReactor(on: kind) { reactor in
                let (leaver, other) = isClient ? (proxy.client, proxy.server) : (proxy.server, proxy.client)
                // The proxy is full in the direction of the one that leaves.
                leaver.whenMade = { $0.transport.pauseProducing() }
                other.whenMade = { $0.transport.write(tooMuch) }
                reactor.when {
                    reactor.statistics.connections.pausedProducers > 0
                } then: {
                    leaver.transport.abortConnection()
                }
                try proxy.start(reactor, on: kind)
            }
            proxy.expectWholeLives()
            #expect(proxy.mostHeld <= Self.mostHeld)
        }
    }
}
