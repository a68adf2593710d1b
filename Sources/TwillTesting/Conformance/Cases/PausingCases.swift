import Twill

/// Connections whose reading is paused.
enum PausingCases {
    static let all: [[ConformanceCase]] = [
        .of("T13: nothing is delivered until reading is resumed", nothingIsDeliveredUntilResumed),
        .of("T13: pausing inside dataReceived holds back what comes next", pausingInsideACallback),
        .of("T13: a pause that is over when the callback returns holds nothing back", aPauseThatIsOverAtOnce),
        .of("T13: a paused connection can still write and close, with input unread", aPausedConnectionCanWriteAndClose),
        .of("P09: resuming a connection that closes delivers nothing", resumingAClosingConnection),
        .of("T13: the loss of the peer is noticed while reading is paused", for: Departure.allCases, theLossIsNoticed),
        .of("T13: a half-closeable protocol hears of the peer's last word while reading is paused", theLastWordIsNoticed),
        .of("T13: the loss does not overtake input that waits, and nothing spins meanwhile", theLossDoesNotOvertakeInput),
        .of("T13: a reset is noticed though input waits, within a second and without a spin", .resets, aResetIsNoticedThoughInputWaits),
        .of(
            "T13: a paused half-closeable protocol hears the last words before it hears that they were the last", theEndDoesNotOvertakeInput
        ),
        .of("T13: the loss is noticed while reading is paused and output waits", theLossIsNoticedWhileOutputWaits),
        .of("T13: many paused connections cost a sleeping reactor next to nothing", manyPausedConnectionsCostNothing),
    ]

    static func nothingIsDeliveredUntilResumed(on stage: ConformanceStage) throws {
        let pair = try stage.withPair { pair in
            pair.client.whenMade = { $0.transport.write("hello") }
            pair.server.whenMade = { server in
                server.transport.pauseProducing()
                server.transport.pauseProducing()
                pair.reactor.when {
                    pair.reactor.statistics.connections.bytesSent == 5 + stage.headerByteCount
                } then: {
                    pair.reactor.afterTurns(5) {
                        stage.expect(server.events == [.made])
                        server.transport.resumeProducing()
                        server.transport.resumeProducing()
                        stage.expect(server.events == [.made], "nothing is delivered inside the call")
                    }
                }
            }
            pair.server.whenData = { $0.transport.loseConnection() }
        }
        stage.expect(pair.server.events == [.made, .data("hello"), .lost(.done)])
    }

    static func pausingInsideACallback(on stage: ConformanceStage) throws {
        let pair = try stage.withPair { pair in
            // More than one call delivers.
            pair.client.whenMade = {
                $0.transport.write(tooMuch)
                $0.transport.loseConnection()
            }
            var isPaused = false
            pair.server.whenData = { server in
                stage.expect(!isPaused)
                server.transport.pauseProducing()
                isPaused = true
                pair.reactor.afterTurns(2) {
                    isPaused = false
                    server.transport.resumeProducing()
                }
            }
        }
        stage.expectSame(pair.server.received, as: tooMuch)
        stage.expect(pair.server.reason == .done)
    }

    static func aPauseThatIsOverAtOnce(on stage: ConformanceStage) throws {
        let pair = try stage.withPair { pair in
            pair.client.whenMade = { $0.transport.write("a") }
            pair.server.whenData = { server in
                server.transport.pauseProducing()
                server.transport.resumeProducing()
                if server.text == "abc" { server.transport.loseConnection() } else { server.transport.write("next") }
            }
            pair.client.whenData = { $0.transport.write($0.received.count == 4 ? "b" : "c") }
        }
        stage.expect(pair.server.events == [.made, .data("a"), .data("b"), .data("c"), .lost(.done)])
    }

    static func aPausedConnectionCanWriteAndClose(on stage: ConformanceStage) throws {
        let pair = try stage.withPair { pair in
            pair.client.whenMade = { $0.transport.write("never delivered") }
            pair.server.whenMade = { server in
                server.transport.pauseProducing()
                pair.reactor.when {
                    pair.reactor.statistics.connections.bytesSent > 0
                } then: {
                    server.transport.write(tooMuch)
                    server.transport.loseConnection()
                    server.transport.resumeProducing()
                }
            }
        }
        stage.expect(pair.server.events == [.made, .lost(.done)])
        stage.expect(pair.client.received.count == tooMuch.count, "unread input makes no reset that destroys the farewell")
        stage.expect(pair.client.reason == .done)
    }

    static func resumingAClosingConnection(on stage: ConformanceStage) throws {
        let pair = try stage.withPair { pair in
            pair.client.whenMade = {
                $0.transport.pauseProducing()
                $0.transport.write("never delivered")
            }
            pair.server.whenMade = { server in
                server.transport.pauseProducing()
                server.transport.write(tooMuch)
                server.transport.loseConnection()
                server.transport.resumeProducing()
                pair.reactor.afterTurns(3) {
                    server.transport.resumeProducing()
                    pair.reactor.afterTurns(3) { pair.client.transport.resumeProducing() }
                }
            }
        }
        stage.expect(pair.server.events == [.made, .lost(.done)])
    }

    /// How a peer goes.
    enum Departure: CaseIterable {
        case inGoodOrder, byReset

        func reason(on stage: ConformanceStage) -> ConnectionLost { self == .inGoodOrder ? .done : stage.lossByAbort }

        func leave(_ transport: Transport) {
            switch self {
            case .inGoodOrder: transport.loseConnection()
            case .byReset: transport.abortConnection()
            }
        }
    }

    static func theLossIsNoticed(on stage: ConformanceStage, departure: Departure) throws {
        let pair = try stage.withPair { pair in
            pair.server.whenMade = { server in
                server.transport.pauseProducing()
                pair.reactor.when {
                    !pair.client.events.isEmpty
                } then: {
                    departure.leave(pair.client.transport)
                }
            }
        }
        stage.expect(pair.server.events == [.made, .lost(departure.reason(on: stage))])
    }

    static func theLastWordIsNoticed(on stage: ConformanceStage) throws {
        let server = HalfCloseableRecorder()
        try stage.withPair(server: server) { pair in
            server.whenMade = { $0.transport.pauseProducing() }
            pair.client.whenMade = { $0.transport.loseWriteConnection() }
            server.whenReadLost = { server in
                server.transport.resumeProducing()
                pair.reactor.afterTurns(3) { server.transport.loseConnection() }
            }
        }
        stage.expect(server.events == [.made, .readLost, .lost(.done)])
    }

    /// Joins a pair whose server is paused with input unread, and runs `then` when it lies there.
    private static func withUnreadInput(
        on stage: ConformanceStage, server: Recorder = Recorder(), _ then: @escaping (ConformancePair) throws -> Void
    ) throws -> ConformancePair {
        try stage.withPair(server: server) { pair in
            pair.server.whenMade = { $0.transport.pauseProducing() }
            pair.client.whenMade = { $0.transport.write("last words") }
            pair.reactor.when {
                pair.reactor.statistics.connections.bytesSent > 0 && !pair.server.events.isEmpty
            } then: {
                pair.reactor.afterTurns(3) { try then(pair) }
            }
        }
    }

    static func theLossDoesNotOvertakeInput(on stage: ConformanceStage) throws {
        let pair = try withUnreadInput(on: stage) { pair in
            pair.client.transport.loseConnection()
            pair.reactor.when {
                pair.client.lossCount == 1
            } then: {
                let start = stage.threadProcessorTime
                pair.reactor.callLater(.milliseconds(200)) {
                    stage.expect(pair.server.events == [.made])
                    stage.expect(stage.threadProcessorTime - start < .milliseconds(100), "the reactor spins")
                    pair.server.transport.resumeProducing()
                }
            }
        }
        stage.expect(pair.server.events == [.made, .data("last words"), .lost(.done)])
    }

    static func aResetIsNoticedThoughInputWaits(on stage: ConformanceStage) throws {
        var start: (time: ReactorClock.Instant, processor: Duration)?
        let pair = try withUnreadInput(on: stage) { pair in
            pair.client.transport.abortConnection()
            pair.reactor.when {
                pair.client.lossCount == 1
            } then: {
                start = (pair.reactor.now, stage.threadProcessorTime)
                pair.server.whenLost = { _, _ in
                    stage.expect(stage.threadProcessorTime - (start?.processor ?? .zero) < .milliseconds(300), "the reactor spins")
                }
            }
        }
        stage.expect(pair.server.events == [.made, .lost(.lost)])
        stage.expect(try stage.require(start).time.duration(to: pair.reactor.now) < .seconds(5))
    }

    static func theEndDoesNotOvertakeInput(on stage: ConformanceStage) throws {
        let server = HalfCloseableRecorder()
        server.whenReadLost = { $0.transport.loseConnection() }
        _ = try withUnreadInput(on: stage, server: server) { pair in
            pair.client.transport.loseWriteConnection()
            pair.reactor.afterTurns(5) {
                stage.expect(server.events == [.made])
                server.transport.resumeProducing()
            }
        }
        stage.expect(server.events == [.made, .data("last words"), .readLost, .lost(.done)])
    }

    static func theLossIsNoticedWhileOutputWaits(on stage: ConformanceStage) throws {
        let pair = try stage.withPair { pair in
            pair.client.whenMade = { $0.transport.pauseProducing() }
            pair.server.whenMade = { server in
                server.transport.pauseProducing()
                server.transport.write(tooMuch)
                pair.reactor.when {
                    !pair.client.events.isEmpty
                } then: {
                    pair.client.transport.abortConnection()
                }
            }
        }
        stage.expect(pair.server.events == [.made, .lost(.lost)])
    }

    static func manyPausedConnectionsCostNothing(on stage: ConformanceStage) throws {
        let ends = (0..<20).map { _ in (server: Recorder(), client: Recorder()) }
        try stage.withReactor { reactor in
            for end in ends {
                _ = try ConformancePair(reactor, on: stage, server: end.server, client: end.client, stopsReactor: false)
                end.server.whenMade = { $0.transport.pauseProducing() }
                end.client.whenMade = {
                    $0.transport.write("unread")
                    $0.transport.loseConnection()
                }
            }
            reactor.when {
                ends.allSatisfy { $0.client.lossCount == 1 }
            } then: {
                let start = stage.threadProcessorTime
                reactor.callLater(.milliseconds(200)) {
                    stage.expect(stage.threadProcessorTime - start < .milliseconds(100), "the reactor spins")
                    stage.expect(ends.allSatisfy { $0.server.events == [.made] })
                    reactor.stop()
                }
            }
        }
        for end in ends { stage.expect(end.server.events == [.made, .lost(.reactorStopped)]) }
    }
}
