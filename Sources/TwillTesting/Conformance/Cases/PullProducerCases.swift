import Twill

/// Pull producers.
enum PullProducerCases {
    static let all: [[ConformanceCase]] = [
        .of("P02: a pull producer is called before registering returns, and again when its piece has left", calledBeforeRegisteringReturns),
        .of("P02: a pull producer is not called again while its piece waits", notCalledWhileItsPieceWaits),
        .of("P03: a pull producer is never paused, whatever it writes", neverPaused),
        .of("T04: losing the connection waits for a pull producer to unregister", losingWaits),
        .of("T04: the peer's last word lets a pull producer go on to its end", thePeersLastWordLetsItGoOn),
        .of("P02: a producer that has nothing to write is called again when it has written", oneWithNothingToWrite),
        .of(
            "P06: a pull producer is stopped once, before the protocol hears of the loss; by itself", for: [false, true],
            stoppedOnceBeforeTheLoss),
        .of("T05d: an error from a pull producer is logged once and is the reason; call", for: [1, 3], errorsFromAPullProducer),
        .of("T05c: aborting inside resumeProducing tells the loss later, after the producer was stopped", abortingInsideResumeProducing),
        .of("P02: pull producers take turns, with each other and with everybody else", takingTurns),
    ]

    /// A producer that writes so many pieces and then unregisters.
    private static func pieces(_ count: Int, of piece: String, to transport: Transport) -> CallRecordingProducer {
        CallRecordingProducer(transport) { producer in
            producer.transport.write(piece)
            if producer.resumeCount == count { producer.transport.unregisterProducer() }
        }
    }

    static func calledBeforeRegisteringReturns(on stage: ConformanceStage) throws {
        var producer: CallRecordingProducer?
        let pair = try stage.withPair { pair in
            pair.server.whenMade = { server in
                let made = pieces(100, of: "piece", to: server.transport)
                producer = made
                try server.transport.registerProducer(made, streaming: false)
                stage.expect(made.calls == [.resume])
            }
            pair.client.whenData = { if $0.received.count == 500 { $0.transport.loseConnection() } }
        }
        stage.expect(producer?.calls == Array(repeating: .resume, count: 100))
        stage.expect(pair.client.text == String(repeating: "piece", count: 100))
    }

    static func notCalledWhileItsPieceWaits(on stage: ConformanceStage) throws {
        var producer: CallRecordingProducer?
        let pair = try stage.withPair { pair in
            pair.client.whenMade = { $0.transport.pauseProducing() }
            pair.server.whenMade = { server in
                let made = CallRecordingProducer(server.transport) { producer in
                    stage.expect(producer.transport.bufferedByteCount == 0)
                    producer.transport.write(tooMuch)
                    if producer.resumeCount == 3 { producer.transport.unregisterProducer() }
                }
                producer = made
                try server.transport.registerProducer(made, streaming: false)
                server.transport.loseConnection()
                pair.reactor.afterTurns(5) {
                    stage.expect(made.calls == [.resume])
                    pair.client.transport.resumeProducing()
                }
            }
        }
        stage.expect(producer?.calls == [.resume, .resume, .resume])
        stage.expect(pair.client.received.count == 3 * tooMuch.count)
    }

    static func neverPaused(on stage: ConformanceStage) throws {
        var options = TransportOptions()
        options.waterMarks = WaterMarks(low: 0, high: 500)
        var producer: CallRecordingProducer?
        try stage.withPair(serverOptions: options) { pair in
            pair.server.whenMade = { server in
                let made = CallRecordingProducer(server.transport) { producer in
                    producer.transport.write(tooMuch)
                    if producer.resumeCount == 2 { producer.transport.unregisterProducer() }
                }
                producer = made
                try server.transport.registerProducer(made, streaming: false)
                server.transport.loseConnection()
            }
        }
        stage.expect(producer?.calls == [.resume, .resume])
    }

    static func losingWaits(on stage: ConformanceStage) throws {
        let pair = try stage.withPair { pair in
            pair.server.whenMade = { server in
                // More than one turn asks for.
                try server.transport.registerProducer(pieces(30, of: "p", to: server.transport), streaming: false)
                server.transport.loseConnection()
                stage.expect(server.transport.state == .disconnecting)
            }
        }
        stage.expect(pair.client.text == String(repeating: "p", count: 30))
        stage.expect(pair.server.events == [.made, .lost(.done)])
    }

    static func thePeersLastWordLetsItGoOn(on stage: ConformanceStage) throws {
        var producer: CallRecordingProducer?
        let pair = try stage.withPair { pair in
            pair.client.whenMade = {
                $0.transport.pauseProducing()
                $0.transport.loseWriteConnection()
            }
            pair.server.whenMade = { server in
                let made = CallRecordingProducer(server.transport) { producer in
                    producer.transport.write(tooMuch)
                    if producer.resumeCount == 3 { producer.transport.unregisterProducer() }
                }
                producer = made
                try server.transport.registerProducer(made, streaming: false)
                pair.reactor.when {
                    server.transport.state == .disconnecting
                } then: {
                    pair.client.transport.resumeProducing()
                }
            }
        }
        stage.expect(producer?.calls == [.resume, .resume, .resume])
        stage.expect(pair.client.received.count == 3 * tooMuch.count)
        stage.expect(pair.server.events == [.made, .lost(.done)])
    }

    static func oneWithNothingToWrite(on stage: ConformanceStage) throws {
        var producer: CallRecordingProducer?
        let pair = try stage.withPair { pair in
            pair.server.whenMade = { server in
                let made = CallRecordingProducer(server.transport)
                producer = made
                try server.transport.registerProducer(made, streaming: false)
                pair.reactor.afterTurns(10) {
                    stage.expect(made.calls == [.resume], "it is asked again and again for nothing")
                    made.whenResumed = {
                        $0.transport.write(" second")
                        $0.transport.unregisterProducer()
                        server.transport.loseConnection()
                    }
                    made.transport.write("first")
                    stage.expect(made.calls == [.resume], "it is not called from inside its own write")
                }
            }
        }
        stage.expect(producer?.calls == [.resume, .resume])
        stage.expect(pair.client.text == "first second")
    }

    static func stoppedOnceBeforeTheLoss(on stage: ConformanceStage, bySelf: Bool) throws {
        var producer: CallRecordingProducer?
        try stage.withPair { pair in
            pair.client.whenData = { client in
                if bySelf { pair.server.transport.abortConnection() } else { client.transport.abortConnection() }
            }
            pair.server.whenMade = { server in
                let made = CallRecordingProducer(server.transport) { $0.transport.write("piece") }
                made.whenStopped = { _ in stage.expect(server.lossCount == 0) }
                producer = made
                try server.transport.registerProducer(made, streaming: false)
            }
            pair.server.whenLost = { _, _ in stage.expect(producer?.calls.last == .stop) }
        }
        stage.expect(producer?.calls.count { $0 == .stop } == 1)
        stage.expect(producer?.calls.last == .stop)
    }

    static func errorsFromAPullProducer(on stage: ConformanceStage, at number: Int) throws {
        let log = RecordedLog()
        var producer: CallRecordingProducer?
        let pair = try stage.withPair(log: log, errors: 1) { pair in
            pair.server.whenMade = { server in
                let made = CallRecordingProducer(server.transport) { producer in
                    producer.transport.write("p")
                    if producer.resumeCount == number { throw Refusal() }
                }
                producer = made
                try server.transport.registerProducer(made, streaming: false)
            }
        }
        stage.expect(log.count(containing: "Recorder.producer.resumeProducing threw: Refusal(number: 0)") == 1)
        stage.expect(producer?.calls == Array(repeating: .resume, count: number) + [.stop])
        stage.expect(pair.server.reason?.underlying is Refusal)
        stage.expect(pair.client.text == String(repeating: "p", count: number))
    }

    static func abortingInsideResumeProducing(on stage: ConformanceStage) throws {
        var producer: CallRecordingProducer?
        let pair = try stage.withPair { pair in
            pair.server.whenMade = { server in
                let made = CallRecordingProducer(server.transport) { producer in
                    producer.transport.write("p")
                    if producer.resumeCount == 3 { producer.transport.abortConnection() }
                    stage.expect(server.lossCount == 0)
                }
                made.whenStopped = { _ in stage.expect(server.lossCount == 0) }
                producer = made
                try server.transport.registerProducer(made, streaming: false)
            }
        }
        stage.expect(producer?.calls == [.resume, .resume, .resume, .stop])
        stage.expect(pair.server.events == [.made, .lost(.aborted)])
    }

    static func takingTurns(on stage: ConformanceStage) throws {
        let readers = (0..<2).map { _ in Recorder() }
        let canary = Recorder()
        try stage.withReactor { reactor in
            var turn = 0
            reactor.everyTurn { turn += 1 }
            var calls = readers.map { _ in 0 }
            for (number, reader) in readers.enumerated() {
                let pair = try ConformancePair(reactor, on: stage, client: reader, stopsReactor: false)
                pair.server.whenMade = { server in
                    var lastTurn = 0
                    var callsOfTurn = 0
                    let endless = CallRecordingProducer(server.transport) { producer in
                        calls[number] += 1
                        callsOfTurn = turn == lastTurn ? callsOfTurn + 1 : 1
                        lastTurn = turn
                        // Registering makes one call beside those of the turn.
                        stage.expect(callsOfTurn <= 9, "one producer holds up the others")
                        producer.transport.write("an endless story. ")
                    }
                    try server.transport.registerProducer(endless, streaming: false)
                }
            }
            // A conversation goes on at the same time.
            let pair = try ConformancePair(reactor, on: stage, client: canary, stopsReactor: false)
            pair.server.whenData = { $0.transport.write("answer") }
            canary.whenMade = { _ in
                reactor.when {
                    calls.allSatisfy { $0 > 10 }
                } then: {
                    canary.transport.write("?")
                }
            }
            canary.whenData = { canary in
                if canary.received.count < 600 { return canary.transport.write("?") }
                let (least, most) = (calls.min() ?? 0, calls.max() ?? 0)
                stage.expect(least > 100)
                stage.expect(most - least < 100, "\(calls)")
                reactor.stop()
            }
        }
        stage.expect(canary.received.count == 600)
    }
}
