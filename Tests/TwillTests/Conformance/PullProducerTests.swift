import Testing

@testable import Twill

extension Conformance {
    @Suite("Pull producers")
    struct PullProducers {
        /// A producer that writes so many pieces and then unregisters.
        private func pieces(_ count: Int, of piece: String, to transport: Transport) -> CallRecordingProducer {
            CallRecordingProducer(transport) { producer in
                producer.transport.write(piece)
                if producer.resumeCount == count { producer.transport.unregisterProducer() }
            }
        }

        @Test(
            "P02: a pull producer is called before registering returns, and again when its piece has left", arguments: StreamKind.allCases)
        func calledBeforeRegisteringReturns(on kind: StreamKind) throws {
            var producer: CallRecordingProducer?
            let pair = try withPair(on: kind) { pair in
                pair.server.whenMade = { server in
                    let made = pieces(100, of: "piece", to: server.transport)
                    producer = made
                    try server.transport.registerProducer(made, streaming: false)
                    #expect(made.calls == [.resume])
                }
                pair.client.whenData = { if $0.received.count == 500 { $0.transport.loseConnection() } }
            }
            #expect(producer?.calls == Array(repeating: .resume, count: 100))
            #expect(pair.client.text == String(repeating: "piece", count: 100))
        }

        @Test("P02: a pull producer is not called again while its piece waits", arguments: StreamKind.allCases)
        func notCalledWhileItsPieceWaits(on kind: StreamKind) throws {
            var producer: CallRecordingProducer?
            let pair = try withPair(on: kind) { pair in
                pair.client.whenMade = { $0.transport.pauseProducing() }
                pair.server.whenMade = { server in
                    let made = CallRecordingProducer(server.transport) { producer in
                        #expect(producer.transport.bufferedByteCount == 0)
                        producer.transport.write(tooMuch)
                        if producer.resumeCount == 3 { producer.transport.unregisterProducer() }
                    }
                    producer = made
                    try server.transport.registerProducer(made, streaming: false)
                    server.transport.loseConnection()
                    pair.reactor.afterTurns(5) {
                        #expect(made.calls == [.resume])
                        pair.client.transport.resumeProducing()
                    }
                }
            }
            #expect(producer?.calls == [.resume, .resume, .resume])
            #expect(pair.client.received.count == 3 * tooMuch.count)
        }

        @Test("P03: a pull producer is never paused, whatever it writes", arguments: StreamKind.allCases)
        func neverPaused(on kind: StreamKind) throws {
            var options = TransportOptions()
            options.waterMarks = WaterMarks(low: 0, high: 500)
            var producer: CallRecordingProducer?
            try withPair(on: kind, serverOptions: options) { pair in
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
            #expect(producer?.calls == [.resume, .resume])
        }

        @Test("T04: losing the connection waits for a pull producer to unregister", arguments: StreamKind.allCases)
        func losingWaits(on kind: StreamKind) throws {
            let pair = try withPair(on: kind) { pair in
                pair.server.whenMade = { server in
                    // More than one turn asks for.
                    try server.transport.registerProducer(pieces(30, of: "p", to: server.transport), streaming: false)
                    server.transport.loseConnection()
                    #expect(server.transport.state == .disconnecting)
                }
            }
            #expect(pair.client.text == String(repeating: "p", count: 30))
            #expect(pair.server.events == [.made, .lost(.done)])
        }

        @Test("T04: the peer's last word lets a pull producer go on to its end", arguments: StreamKind.allCases)
        func thePeersLastWordLetsItGoOn(on kind: StreamKind) throws {
            var producer: CallRecordingProducer?
            let pair = try withPair(on: kind) { pair in
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
            #expect(producer?.calls == [.resume, .resume, .resume])
            #expect(pair.client.received.count == 3 * tooMuch.count)
            #expect(pair.server.events == [.made, .lost(.done)])
        }

        @Test("P02: a producer that has nothing to write is called again when it has written", arguments: StreamKind.allCases)
        func oneWithNothingToWrite(on kind: StreamKind) throws {
            var producer: CallRecordingProducer?
            let pair = try withPair(on: kind) { pair in
                pair.server.whenMade = { server in
                    let made = CallRecordingProducer(server.transport)
                    producer = made
                    try server.transport.registerProducer(made, streaming: false)
                    pair.reactor.afterTurns(10) {
                        #expect(made.calls == [.resume], "it is asked again and again for nothing")
                        made.whenResumed = {
                            $0.transport.write(" second")
                            $0.transport.unregisterProducer()
                            server.transport.loseConnection()
                        }
                        made.transport.write("first")
                        #expect(made.calls == [.resume], "it is not called from inside its own write")
                    }
                }
            }
            #expect(producer?.calls == [.resume, .resume])
            #expect(pair.client.text == "first second")
        }

        @Test("P06: a pull producer is stopped once, before the protocol hears of the loss", arguments: StreamKind.allCases, [false, true])
        func stoppedOnceBeforeTheLoss(on kind: StreamKind, bySelf: Bool) throws {
            var producer: CallRecordingProducer?
            try withPair(on: kind) { pair in
                pair.client.whenData = { client in
                    if bySelf { pair.server.transport.abortConnection() } else { client.transport.abortConnection() }
                }
                pair.server.whenMade = { server in
                    let made = CallRecordingProducer(server.transport) { $0.transport.write("piece") }
                    made.whenStopped = { _ in #expect(server.lossCount == 0) }
                    producer = made
                    try server.transport.registerProducer(made, streaming: false)
                }
                pair.server.whenLost = { _, _ in #expect(producer?.calls.last == .stop) }
            }
            #expect(producer?.calls.count { $0 == .stop } == 1)
            #expect(producer?.calls.last == .stop)
        }

        @Test("T05d: an error from a pull producer is logged once and is the reason", arguments: StreamKind.allCases, [1, 3])
        func errorsFromAPullProducer(on kind: StreamKind, at number: Int) throws {
            let log = RecordedLog()
            var producer: CallRecordingProducer?
            let pair = try withPair(on: kind, log: log, errors: 1) { pair in
                pair.server.whenMade = { server in
                    let made = CallRecordingProducer(server.transport) { producer in
                        producer.transport.write("p")
                        if producer.resumeCount == number { throw Refusal() }
                    }
                    producer = made
                    try server.transport.registerProducer(made, streaming: false)
                }
            }
            #expect(log.count(containing: "Recorder.producer.resumeProducing threw: Refusal(number: 0)") == 1)
            #expect(producer?.calls == Array(repeating: .resume, count: number) + [.stop])
            #expect(pair.server.reason?.underlying is Refusal)
            #expect(pair.client.text == String(repeating: "p", count: number))
        }

        @Test("T05c: aborting inside resumeProducing tells the loss later, after the producer was stopped", arguments: StreamKind.allCases)
        func abortingInsideResumeProducing(on kind: StreamKind) throws {
            var producer: CallRecordingProducer?
            let pair = try withPair(on: kind) { pair in
                pair.server.whenMade = { server in
                    let made = CallRecordingProducer(server.transport) { producer in
                        producer.transport.write("p")
                        if producer.resumeCount == 3 { producer.transport.abortConnection() }
                        #expect(server.lossCount == 0)
                    }
                    made.whenStopped = { _ in #expect(server.lossCount == 0) }
                    producer = made
                    try server.transport.registerProducer(made, streaming: false)
                }
            }
            #expect(producer?.calls == [.resume, .resume, .resume, .stop])
            #expect(pair.server.events == [.made, .lost(.aborted)])
        }

        @Test("P02: pull producers take turns, with each other and with everybody else", arguments: StreamKind.allCases)
        func takingTurns(on kind: StreamKind) throws {
            let readers = (0..<2).map { _ in Recorder() }
            let canary = Recorder()
            try withReactor(on: kind) { reactor in
                var turn = 0
                reactor.everyTurn { turn += 1 }
                var calls = readers.map { _ in 0 }
                for (number, reader) in readers.enumerated() {
                    let pair = try Pair(reactor, on: kind, client: reader, stopsReactor: false)
                    pair.server.whenMade = { server in
                        var lastTurn = 0
                        var callsOfTurn = 0
                        let endless = CallRecordingProducer(server.transport) { producer in
                            calls[number] += 1
                            callsOfTurn = turn == lastTurn ? callsOfTurn + 1 : 1
                            lastTurn = turn
                            // Registering makes one call beside those of the turn.
                            #expect(callsOfTurn <= 9, "one producer holds up the others")
                            producer.transport.write("an endless story. ")
                        }
                        try server.transport.registerProducer(endless, streaming: false)
                    }
                }
                // A conversation goes on at the same time.
                let pair = try Pair(reactor, on: kind, client: canary, stopsReactor: false)
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
                    #expect(least > 100)
                    #expect(most - least < 100, "\(calls)")
                    reactor.stop()
                }
            }
            #expect(canary.received.count == 600)
        }
    }
}
