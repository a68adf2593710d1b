import Testing

@testable import Twill

extension Conformance {
    @Suite("Producers and the end of their connection")
    struct ProducerEnds {
        @Test("T04b: losing the connection waits for a push producer to unregister", arguments: StreamKind.allCases)
        func losingWaits(on kind: StreamKind) throws {
            var producer: CallRecordingProducer?
            let pair = try withPair(on: kind) { pair in
                pair.server.whenMade = { server in
                    let made = CallRecordingProducer(server.transport)
                    producer = made
                    try server.transport.registerProducer(made, streaming: true)
                    server.transport.loseConnection()
                    pair.reactor.afterTurns(3) {
                        #expect(server.events == [.made])
                        server.transport.write("a piece")
                        pair.reactor.afterTurns(3) {
                            server.transport.write(" and another")
                            server.transport.unregisterProducer()
                            server.transport.write("dropped")
                        }
                    }
                }
            }
            #expect(pair.server.events == [.made, .lost(.done)])
            #expect(pair.client.text == "a piece and another")
            #expect(producer?.calls == [], "one that has unregistered is not told to stop")
        }

        @Test(
            "T04b: a push producer that gives no sign of life is waited for no longer than for a stalled peer",
            arguments: StreamKind.allCases)
        func aSilentProducerIsGivenUp(on kind: StreamKind) throws {
            var options = TransportOptions()
            options.stallTimeout = .milliseconds(80)
            var start: ReactorClock.Instant?
            var producer: CallRecordingProducer?
            let pair = try withPair(on: kind, serverOptions: options) { pair in
                start = pair.reactor.now
                pair.server.whenMade = { server in
                    let made = CallRecordingProducer(server.transport)
                    producer = made
                    try server.transport.registerProducer(made, streaming: true)
                    server.transport.loseConnection()
                }
            }
            #expect(pair.server.events == [.made, .lost(.timedOut)])
            let elapsed = try #require(start).duration(to: pair.reactor.now)
            #expect(elapsed >= .milliseconds(80))
            #expect(producer?.calls == [.stop])
        }

        @Test("T04b: the peer's last word stops a push producer of a protocol that is not half-closeable", arguments: StreamKind.allCases)
        func thePeersLastWordStopsIt(on kind: StreamKind) throws {
            var producer: CallRecordingProducer?
            let pair = try withPair(on: kind) { pair in
                pair.server.whenMade = { server in
                    let made = CallRecordingProducer(server.transport)
                    made.whenStopped = { producer in
                        #expect(server.lossCount == 0, "it is stopped before the protocol hears of the loss")
                        producer.transport.write("dropped")
                    }
                    producer = made
                    try server.transport.registerProducer(made, streaming: true)
                    server.transport.write("before ")
                }
                pair.client.whenData = { $0.transport.loseWriteConnection() }
            }
            #expect(producer?.calls == [.stop])
            #expect(pair.client.events == [.made, .data("before "), .lost(.done)])
            #expect(pair.server.events == [.made, .lost(.done)])
        }

        @Test("T04b: a half-closeable protocol's producer goes on after the peer's last word", arguments: StreamKind.allCases)
        func aHalfCloseableProtocolsProducerGoesOn(on kind: StreamKind) throws {
            let server = HalfCloseableRecorder()
            var producer: CallRecordingProducer?
            let pair = try withPair(on: kind, server: server) { pair in
                server.whenMade = { server in
                    let made = CallRecordingProducer(server.transport)
                    producer = made
                    try server.transport.registerProducer(made, streaming: true)
                }
                pair.client.whenMade = { $0.transport.loseWriteConnection() }
                server.whenReadLost = { server in
                    pair.reactor.afterTurns(3) {
                        server.transport.write("still there")
                        server.transport.unregisterProducer()
                        server.transport.loseConnection()
                    }
                }
            }
            #expect(producer?.calls == [])
            #expect(pair.client.text == "still there")
        }

        /// A protocol that is its own connection's producer: paused, it stops reading.
        private final class OwnProducer: Recorder, Producer {
            func pauseProducing() { transport.pauseProducing() }
            func resumeProducing() { transport.resumeProducing() }
            func stopProducing() {}
            var hasMore: Bool { transport.state == .connected }
        }

        @Test("T04b: a connection that is its own producer is not waited for", arguments: StreamKind.allCases, [false, true])
        func aConnectionThatIsItsOwnProducer(on kind: StreamKind, isProtocol: Bool) throws {
            let server = OwnProducer()
            let pair = try withPair(on: kind, server: server) { pair in
                pair.client.whenMade = { $0.transport.write("echo") }
                server.whenMade = { server in
                    let producer: any Producer = if isProtocol, let server = server as? OwnProducer { server } else { server.transport }
                    try server.transport.registerProducer(producer, streaming: true)
                }
                server.whenData = { server in
                    server.transport.write(tooMuch)
                    server.transport.loseConnection()
                }
            }
            expectSame(pair.client.received, as: tooMuch)
            #expect(server.events == [.made, .data("echo"), .lost(.done)])
        }

        /// How a connection with a producer ends.
        enum End: CaseIterable {
            case abort, peersAbort, peersLoss, stop, unsentLimit

            func arrive(at pair: Pair) {
                switch self {
                case .abort: pair.server.transport.abortConnection()
                case .peersAbort: pair.client.transport.abortConnection()
                case .peersLoss: pair.client.transport.loseConnection()
                case .stop: pair.reactor.stop()
                case .unsentLimit:
                    pair.server.transport.waterMarks.limit = 0
                    pair.server.transport.write(tooMuch)
                }
            }
        }

        @Test("P06: a producer is stopped once, before the protocol hears of the loss", arguments: StreamKind.allCases, End.allCases)
        func stoppedOnceBeforeTheLoss(on kind: StreamKind, end: End) throws {
            var producers: [CallRecordingProducer] = []
            try withPair(on: kind) { pair in
                pair.client.whenMade = { client in
                    pair.reactor.when {
                        !producers.isEmpty
                    } then: {
                        end.arrive(at: pair)
                    }
                }
                pair.server.whenMade = { server in
                    let producer = CallRecordingProducer(server.transport)
                    producer.whenStopped = { producer in
                        #expect(server.lossCount == 0)
                        producer.transport.write("dropped")
                        producer.transport.unregisterProducer()
                    }
                    try server.transport.registerProducer(producer, streaming: true)
                    producers.append(producer)
                }
                pair.server.whenLost = { server, _ in
                    #expect(producers.first?.calls.last == .stop)
                    server.transport.unregisterProducer()
                }
            }
            #expect(producers.first?.calls.count { $0 == .stop } == 1)
            #expect(producers.first?.calls.last == .stop)
        }

        @Test("P08: unregistering after the connection is lost is harmless", arguments: StreamKind.allCases)
        func unregisteringAfterTheLoss(on kind: StreamKind) throws {
            let pair = try withPair(on: kind) { pair in
                pair.server.whenMade = { server in
                    try server.transport.registerProducer(CallRecordingProducer(server.transport), streaming: true)
                    server.transport.abortConnection()
                    server.transport.unregisterProducer()
                    server.transport.unregisterProducer()
                }
                pair.server.whenLost = { server, _ in
                    server.transport.unregisterProducer()
                    pair.reactor.afterTurns(1) { server.transport.unregisterProducer() }
                }
            }
            #expect(pair.server.events == [.made, .lost(.aborted)])
        }

        @Test("P06: a producer that has unregistered hears nothing more", arguments: StreamKind.allCases)
        func oneThatHasUnregisteredHearsNothing(on kind: StreamKind) throws {
            var producer: CallRecordingProducer?
            weak var gone: CallRecordingProducer?
            try withPair(on: kind) { pair in
                pair.client.whenMade = { $0.transport.pauseProducing() }
                pair.server.whenMade = { server in
                    let made = CallRecordingProducer(server.transport)
                    producer = made
                    gone = made
                    try server.transport.registerProducer(made, streaming: true)
                    server.transport.write(tooMuch)
                    #expect(made.calls == [.pause])
                    #expect(pair.reactor.statistics.connections.pausedProducers == 1)
                    server.transport.unregisterProducer()
                    #expect(pair.reactor.statistics.connections.pausedProducers == 0)
                    server.transport.loseConnection()
                    pair.reactor.afterTurns(3) { pair.client.transport.resumeProducing() }
                }
                pair.server.whenLost = { _, _ in
                    #expect(producer?.calls == [.pause])
                    producer = nil
                    pair.reactor.afterTurns(1) { #expect(gone == nil, "the transport holds on to it") }
                }
            }
        }

        @Test(
            "P01: a producer that is registered with a closing connection is only stopped", arguments: StreamKind.allCases, [false, true])
        func registeredWithAClosingConnection(on kind: StreamKind, streaming: Bool) throws {
            let pair = try withPair(on: kind) { pair in
                pair.server.whenMade = { server in
                    server.transport.loseConnection()
                    let producer = CallRecordingProducer(server.transport)
                    try server.transport.registerProducer(producer, streaming: streaming)
                    #expect(producer.calls == [.stop])
                    server.transport.write("dropped")
                }
            }
            #expect(pair.client.events == [.made, .lost(.done)])
        }

        /// A call of a producer's.
        enum Call: String, CaseIterable {
            case pauseProducing, resumeProducing, stopProducing
        }

        @Test("T05d: an error from a producer is logged once and is the reason", arguments: StreamKind.allCases, Call.allCases)
        func errorsFromAProducer(on kind: StreamKind, call: Call) throws {
            let log = RecordedLog()
            var producer: CallRecordingProducer?
            let pair = try withPair(on: kind, log: log, errors: 1) { pair in
                pair.server.whenMade = { server in
                    let made = CallRecordingProducer(server.transport)
                    producer = made
                    let refusal: (CallRecordingProducer) throws -> Void = { _ in throw Refusal() }
                    switch call {
                    case .pauseProducing: made.whenPaused = refusal
                    case .resumeProducing: made.whenResumed = refusal
                    case .stopProducing: made.whenStopped = refusal
                    }
                    try server.transport.registerProducer(made, streaming: true)
                    server.transport.write(tooMuch)
                    if call == .stopProducing { server.transport.abortConnection() }
                }
            }
            #expect(log.count(containing: "Recorder.producer.\(call.rawValue) threw: Refusal(number: 0)") == 1)
            #expect(producer?.calls.count { $0 == .stop } == 1)
            #expect(producer?.calls.last == .stop)
            if call == .stopProducing {
                #expect(pair.server.reason == .aborted, "it was over when the producer was told")
            } else {
                #expect(pair.server.reason?.underlying is Refusal)
                #expect(pair.client.received.count == tooMuch.count, "what was written before is sent")
            }
        }

        @Test(
            "T05c: aborting inside a producer's calls tells the loss later, after the producer was stopped", arguments: StreamKind.allCases)
        func abortingInsideAProducersCalls(on kind: StreamKind) throws {
            var producer: CallRecordingProducer?
            let pair = try withPair(on: kind) { pair in
                pair.server.whenMade = { server in
                    let made = CallRecordingProducer(server.transport) {
                        $0.transport.abortConnection()
                        #expect(server.lossCount == 0)
                    }
                    producer = made
                    made.whenStopped = { _ in #expect(server.lossCount == 0) }
                    try server.transport.registerProducer(made, streaming: true)
                    server.transport.write(tooMuch)
                }
            }
            #expect(producer?.calls == [.pause, .resume, .stop])
            #expect(pair.server.events == [.made, .lost(.aborted)])
        }
    }
}
