import Twill

/// Producers and the end of their connection.
enum ProducerEndCases {
    static let all: [[ConformanceCase]] = [
        .of("T04b: losing the connection waits for a push producer to unregister", losingWaits),
        .of("T04b: a push producer that gives no sign of life is waited for no longer than for a stalled peer", aSilentProducerIsGivenUp),
        .of("T04b: the peer's last word stops a push producer of a protocol that is not half-closeable", thePeersLastWordStopsIt),
        .of("T04b: a half-closeable protocol's producer goes on after the peer's last word", aHalfCloseableProtocolsProducerGoesOn),
        .of(
            "T04b: a connection that is its own producer is not waited for; the protocol", for: [false, true],
            aConnectionThatIsItsOwnProducer),
        .of("P06: a producer is stopped once, before the protocol hears of the loss", for: End.allCases, stoppedOnceBeforeTheLoss),
        .of("P08: unregistering after the connection is lost is harmless", unregisteringAfterTheLoss),
        .of("P06: a producer that has unregistered hears nothing more", oneThatHasUnregisteredHearsNothing),
        .of(
            "P01: a producer that is registered with a closing connection is only stopped; streaming", for: [false, true],
            registeredWithAClosingConnection),
        .of("T05d: an error from a producer is logged once and is the reason", for: Call.allCases, errorsFromAProducer),
        .of("T05c: aborting inside a producer's calls tells the loss later, after the producer was stopped", abortingInsideAProducersCalls),
    ]

    static func losingWaits(on stage: ConformanceStage) throws {
        var producer: CallRecordingProducer?
        let pair = try stage.withPair { pair in
            pair.server.whenMade = { server in
                let made = CallRecordingProducer(server.transport)
                producer = made
                try server.transport.registerProducer(made, streaming: true)
                server.transport.loseConnection()
                pair.reactor.afterTurns(3) {
                    stage.expect(server.events == [.made])
                    server.transport.write("a piece")
                    pair.reactor.afterTurns(3) {
                        server.transport.write(" and another")
                        server.transport.unregisterProducer()
                        server.transport.write("dropped")
                    }
                }
            }
        }
        stage.expect(pair.server.events == [.made, .lost(.done)])
        stage.expect(pair.client.text == "a piece and another")
        stage.expect(producer?.calls == [], "one that has unregistered is not told to stop")
    }

    static func aSilentProducerIsGivenUp(on stage: ConformanceStage) throws {
        var options = TransportOptions()
        options.stallTimeout = .milliseconds(80)
        var start: ReactorClock.Instant?
        var producer: CallRecordingProducer?
        let pair = try stage.withPair(serverOptions: options) { pair in
            start = pair.reactor.now
            pair.server.whenMade = { server in
                let made = CallRecordingProducer(server.transport)
                producer = made
                try server.transport.registerProducer(made, streaming: true)
                server.transport.loseConnection()
            }
        }
        stage.expect(pair.server.events == [.made, .lost(.timedOut)])
        let elapsed = try stage.require(start).duration(to: pair.reactor.now)
        stage.expect(elapsed >= .milliseconds(80))
        stage.expect(producer?.calls == [.stop])
    }

    static func thePeersLastWordStopsIt(on stage: ConformanceStage) throws {
        var producer: CallRecordingProducer?
        let pair = try stage.withPair { pair in
            pair.server.whenMade = { server in
                let made = CallRecordingProducer(server.transport)
                made.whenStopped = { producer in
                    stage.expect(server.lossCount == 0, "it is stopped before the protocol hears of the loss")
                    producer.transport.write("dropped")
                }
                producer = made
                try server.transport.registerProducer(made, streaming: true)
                server.transport.write("before ")
            }
            pair.client.whenData = { $0.transport.loseWriteConnection() }
        }
        stage.expect(producer?.calls == [.stop])
        stage.expect(pair.client.events == [.made, .data("before "), .lost(.done)])
        stage.expect(pair.server.events == [.made, .lost(.done)])
    }

    static func aHalfCloseableProtocolsProducerGoesOn(on stage: ConformanceStage) throws {
        let server = HalfCloseableRecorder()
        var producer: CallRecordingProducer?
        let pair = try stage.withPair(server: server) { pair in
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
        stage.expect(producer?.calls == [])
        stage.expect(pair.client.text == "still there")
    }

    /// A protocol that is its own connection's producer: paused, it stops reading.
    private final class OwnProducer: Recorder, Producer {
        func pauseProducing() { transport.pauseProducing() }
        func resumeProducing() { transport.resumeProducing() }
        func stopProducing() {}
        var hasMore: Bool { transport.state == .connected }
    }

    static func aConnectionThatIsItsOwnProducer(on stage: ConformanceStage, isProtocol: Bool) throws {
        let server = OwnProducer()
        let pair = try stage.withPair(server: server) { pair in
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
        stage.expectSame(pair.client.received, as: tooMuch)
        stage.expect(server.events == [.made, .data("echo"), .lost(.done)])
    }

    /// How a connection with a producer ends.
    enum End: CaseIterable {
        case abort, peersAbort, peersLoss, stop, unsentLimit

        func arrive(at pair: ConformancePair) {
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

    static func stoppedOnceBeforeTheLoss(on stage: ConformanceStage, end: End) throws {
        var producers: [CallRecordingProducer] = []
        try stage.withPair { pair in
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
                    stage.expect(server.lossCount == 0)
                    producer.transport.write("dropped")
                    producer.transport.unregisterProducer()
                }
                try server.transport.registerProducer(producer, streaming: true)
                producers.append(producer)
            }
            pair.server.whenLost = { server, _ in
                stage.expect(producers.first?.calls.last == .stop)
                server.transport.unregisterProducer()
            }
        }
        stage.expect(producers.first?.calls.count { $0 == .stop } == 1)
        stage.expect(producers.first?.calls.last == .stop)
    }

    static func unregisteringAfterTheLoss(on stage: ConformanceStage) throws {
        let pair = try stage.withPair { pair in
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
        stage.expect(pair.server.events == [.made, .lost(.aborted)])
    }

    static func oneThatHasUnregisteredHearsNothing(on stage: ConformanceStage) throws {
        var producer: CallRecordingProducer?
        weak var gone: CallRecordingProducer?
        try stage.withPair { pair in
            pair.client.whenMade = { $0.transport.pauseProducing() }
            pair.server.whenMade = { server in
                let made = CallRecordingProducer(server.transport)
                producer = made
                gone = made
                try server.transport.registerProducer(made, streaming: true)
                server.transport.write(tooMuch)
                stage.expect(made.calls == [.pause])
                stage.expect(pair.reactor.statistics.connections.pausedProducers == 1)
                server.transport.unregisterProducer()
                stage.expect(pair.reactor.statistics.connections.pausedProducers == 0)
                server.transport.loseConnection()
                pair.reactor.afterTurns(3) { pair.client.transport.resumeProducing() }
            }
            pair.server.whenLost = { _, _ in
                stage.expect(producer?.calls == [.pause])
                producer = nil
                pair.reactor.afterTurns(1) { stage.expect(gone == nil, "the transport holds on to it") }
            }
        }
    }

    static func registeredWithAClosingConnection(on stage: ConformanceStage, streaming: Bool) throws {
        let pair = try stage.withPair { pair in
            pair.server.whenMade = { server in
                server.transport.loseConnection()
                let producer = CallRecordingProducer(server.transport)
                try server.transport.registerProducer(producer, streaming: streaming)
                stage.expect(producer.calls == [.stop])
                server.transport.write("dropped")
            }
        }
        stage.expect(pair.client.events == [.made, .lost(.done)])
    }

    /// A call of a producer's.
    enum Call: String, CaseIterable {
        case pauseProducing, resumeProducing, stopProducing
    }

    static func errorsFromAProducer(on stage: ConformanceStage, call: Call) throws {
        let log = RecordedLog()
        var producer: CallRecordingProducer?
        let pair = try stage.withPair(log: log, errors: 1) { pair in
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
        stage.expect(log.count(containing: "Recorder.producer.\(call.rawValue) threw: Refusal(number: 0)") == 1)
        stage.expect(producer?.calls.count { $0 == .stop } == 1)
        stage.expect(producer?.calls.last == .stop)
        if call == .stopProducing {
            stage.expect(pair.server.reason == .aborted, "it was over when the producer was told")
        } else {
            stage.expect(pair.server.reason?.underlying is Refusal)
            stage.expect(pair.client.received.count == tooMuch.count, "what was written before is sent")
        }
    }

    static func abortingInsideAProducersCalls(on stage: ConformanceStage) throws {
        var producer: CallRecordingProducer?
        let pair = try stage.withPair { pair in
            pair.server.whenMade = { server in
                let made = CallRecordingProducer(server.transport) {
                    $0.transport.abortConnection()
                    stage.expect(server.lossCount == 0)
                }
                producer = made
                made.whenStopped = { _ in stage.expect(server.lossCount == 0) }
                try server.transport.registerProducer(made, streaming: true)
                server.transport.write(tooMuch)
            }
        }
        stage.expect(producer?.calls == [.pause, .resume, .stop])
        stage.expect(pair.server.events == [.made, .lost(.aborted)])
    }
}
