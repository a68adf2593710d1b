import Twill

/// Connections of which one half is closed.
enum HalfClosingCases {
    static let all: [[ConformanceCase]] = [
        .of("T11: a peer that says its last word still gets what waits for it", whatWaitsIsSentFirst),
        .of("T11: a peer that says its last word gets the answer to it", theAnswerToTheLastWordIsSent),
        .of("T11: where what waits can't be sent after the peer's last word, the reason is not clean", whatCanNotBeSentIsNotClean),
        .of("T11b: a half-closeable protocol may go on writing after the peer's last word", mayGoOnWriting),
        .of("T11b: a protocol that answers for another decides whether the first half ends it", aWrapperAnswersForTheWrapped),
        .of("T12: what is written after closing one's own half is dropped, what was written before arrives", whatIsWrittenAfterIsDropped),
        .of("T12: the peer hears of a closed half only after all that was written", theHalfClosesAfterTheOutput),
        .of(
            "T12: a protocol that is not half-closeable hears nothing of its own half, and of the peer's answer",
            aPlainProtocolMayCloseItsHalf),
        .of("T12: closing one's half waits for a producer", closingOnesHalfWaitsForAProducer),
        .of("T12b: closing one's half ends a peer that is not half-closeable, and then both", closingOnesHalfEndsAPlainPeer),
        .of("T12c: closing the second half closes the connection, and connectionLost alone is told", closingTheSecondHalfClosesAll),
        .of("T12c: closing one's half of a connection that closes does nothing", closingOnesHalfOfAClosingConnection),
        .of("T12e: each half may be closed from the callback of the other", eachHalfMayBeClosedFromACallback),
        .of("T07: an error from readConnectionLost or writeConnectionLost is the reason", errorsFromTheHalvesCallbacks),
        .of(
            "T13: the loss of a peer that has closed its half is noticed, though nothing is sent, and nothing spins meanwhile",
            theLossOfAHalfClosedPeerIsNoticed),
    ]

    static func whatWaitsIsSentFirst(on stage: ConformanceStage) throws {
        let pair = try stage.withPair { pair in
            pair.client.whenMade = {
                $0.transport.pauseProducing()
                $0.transport.loseWriteConnection()
            }
            pair.server.whenMade = { server in
                server.transport.write(tooMuch)
                pair.reactor.when {
                    server.transport.state == .disconnecting
                } then: {
                    stage.expect(server.transport.bufferedByteCount > 0)
                    stage.expect(server.lossCount == 0)
                    pair.client.transport.resumeProducing()
                }
            }
        }
        stage.expectSame(pair.client.received, as: tooMuch)
        stage.expect(pair.server.events == [.made, .lost(.done)])
        stage.expect(pair.client.reason == .done)
    }

    static func theAnswerToTheLastWordIsSent(on stage: ConformanceStage) throws {
        let pair = try stage.withPair { pair in
            pair.client.whenMade = {
                $0.transport.write("question")
                $0.transport.loseWriteConnection()
            }
            pair.server.whenData = { $0.transport.write("answer") }
        }
        stage.expect(pair.server.events == [.made, .data("question"), .lost(.done)])
        stage.expect(pair.client.events == [.made, .data("answer"), .lost(.done)])
    }

    static func whatCanNotBeSentIsNotClean(on stage: ConformanceStage) throws {
        let pair = try stage.withPair { pair in
            pair.client.whenMade = {
                $0.transport.pauseProducing()
                $0.transport.loseWriteConnection()
            }
            pair.server.whenMade = { server in
                server.transport.write(tooMuch)
                pair.reactor.when {
                    server.transport.state == .disconnecting
                } then: {
                    pair.client.transport.abortConnection()
                }
            }
        }
        stage.expect(pair.server.events == [.made, .lost(.lost)])
    }

    static func mayGoOnWriting(on stage: ConformanceStage) throws {
        let server = HalfCloseableRecorder()
        let pair = try stage.withPair(server: server) { pair in
            pair.client.whenMade = {
                $0.transport.write("question")
                $0.transport.loseWriteConnection()
            }
            server.whenReadLost = { server in
                stage.expect(server.transport.state == .connected)
                server.transport.write("first ")
                pair.reactor.afterTurns(3) {
                    server.transport.write("second ")
                    server.transport.write(tooMuch)
                    server.transport.loseConnection()
                }
            }
        }
        stage.expect(server.events == [.made, .data("question"), .readLost, .lost(.done)])
        stage.expectSame(pair.client.received, as: Array("first second ".utf8) + tooMuch)
        stage.expect(pair.client.reason == .done)
    }

    static func aWrapperAnswersForTheWrapped(on stage: ConformanceStage) throws {
        final class Wrapper: Recorder {
            let wrapped = HalfCloseableRecorder()
            override var halfCloseable: (any HalfCloseableProtocol)? { wrapped }
        }
        let server = Wrapper()
        try stage.withPair(server: server) { pair in
            pair.client.whenMade = { $0.transport.loseWriteConnection() }
            server.wrapped.whenReadLost = { [unowned server] _ in server.transport.loseConnection() }
        }
        stage.expect(server.wrapped.events == [.readLost])
    }

    static func whatIsWrittenAfterIsDropped(on stage: ConformanceStage) throws {
        let server = HalfCloseableRecorder()
        let client = HalfCloseableRecorder()
        let pair = try stage.withPair(server: server, client: client) { pair in
            server.whenMade = { server in
                server.transport.write("a")
                server.transport.loseWriteConnection()
                server.transport.loseWriteConnection()
                server.transport.write("b")
                server.transport.write([UInt8](repeating: 1, count: 100_000))
                stage.expect(server.transport.state == .connected)
                stage.expect(server.events == [.made], "nothing is told from inside the call")
            }
            server.whenWriteLost = { $0.transport.write("c") }
            // Input goes on, and nothing that is written later leaves.
            client.whenReadLost = { $0.transport.write("still heard") }
            server.whenData = { server in
                server.transport.write("d")
                server.transport.loseConnection()
            }
            server.whenLost = { _, _ in client.transport.loseConnection() }
        }
        stage.expect(server.events == [.made, .writeLost, .data("still heard"), .lost(.done)])
        stage.expect(client.events == [.made, .data("a"), .readLost, .lost(.done)])
        stage.expect(pair.reactor.statistics.connections.bytesReceived == 1 + "still heard".count + stage.headerByteCount)
    }

    static func theHalfClosesAfterTheOutput(on stage: ConformanceStage) throws {
        let server = HalfCloseableRecorder()
        let client = HalfCloseableRecorder()
        try stage.withPair(server: server, client: client) { pair in
            server.whenMade = { server in
                server.transport.write(tooMuch)
                server.transport.loseWriteConnection()
                pair.reactor.afterTurns(3) {
                    stage.expect(server.events == [.made])
                    client.transport.resumeProducing()
                }
            }
            server.whenWriteLost = { stage.expect($0.transport.bufferedByteCount == 0) }
            client.whenMade = { $0.transport.pauseProducing() }
            client.whenReadLost = { $0.transport.loseConnection() }
        }
        stage.expectSame(client.received, as: tooMuch)
        stage.expect(server.events == [.made, .writeLost, .lost(.done)])
        stage.expect(client.events.suffix(2) == [.readLost, .lost(.done)])
    }

    static func aPlainProtocolMayCloseItsHalf(on stage: ConformanceStage) throws {
        let client = HalfCloseableRecorder()
        let pair = try stage.withPair(client: client) { pair in
            pair.server.whenMade = { $0.transport.loseWriteConnection() }
            client.whenReadLost = {
                $0.transport.write("answer")
                $0.transport.loseConnection()
            }
        }
        stage.expect(pair.server.events == [.made, .data("answer"), .lost(.done)])
        stage.expect(client.events == [.made, .readLost, .lost(.done)])
    }

    static func closingOnesHalfWaitsForAProducer(on stage: ConformanceStage) throws {
        let server = HalfCloseableRecorder()
        let client = HalfCloseableRecorder()
        try stage.withPair(server: server, client: client) { pair in
            server.whenMade = { server in
                let producer = CallRecordingProducer(server.transport)
                try server.transport.registerProducer(producer, streaming: true)
                server.transport.loseWriteConnection()
                pair.reactor.afterTurns(3) {
                    stage.expect(server.events == [.made])
                    producer.transport.write("produced")
                    producer.transport.unregisterProducer()
                    producer.transport.write("dropped")
                }
            }
            client.whenReadLost = { $0.transport.loseConnection() }
        }
        stage.expect(server.events == [.made, .writeLost, .lost(.done)])
        stage.expect(client.events == [.made, .data("produced"), .readLost, .lost(.done)])
    }

    static func closingOnesHalfEndsAPlainPeer(on stage: ConformanceStage) throws {
        let pair = try stage.withPair { pair in
            pair.server.whenMade = { $0.transport.loseWriteConnection() }
        }
        stage.expect(pair.server.events == [.made, .lost(.done)])
        stage.expect(pair.client.events == [.made, .lost(.done)])
    }

    static func closingTheSecondHalfClosesAll(on stage: ConformanceStage) throws {
        let server = HalfCloseableRecorder()
        let client = HalfCloseableRecorder()
        try stage.withPair(server: server, client: client) { _ in
            client.whenMade = { $0.transport.loseWriteConnection() }
            server.whenReadLost = { server in
                server.transport.write("last")
                server.transport.loseWriteConnection()
                server.transport.write("dropped")
                stage.expect(server.transport.state == .disconnecting)
            }
        }
        stage.expect(server.events == [.made, .readLost, .lost(.done)])
        stage.expect(client.events == [.made, .writeLost, .data("last"), .lost(.done)])
    }

    static func closingOnesHalfOfAClosingConnection(on stage: ConformanceStage) throws {
        let server = HalfCloseableRecorder()
        try stage.withPair(server: server) { _ in
            server.whenMade = {
                $0.transport.loseConnection()
                $0.transport.loseWriteConnection()
            }
        }
        stage.expect(server.events == [.made, .lost(.done)])
    }

    static func eachHalfMayBeClosedFromACallback(on stage: ConformanceStage) throws {
        let server = HalfCloseableRecorder()
        let client = HalfCloseableRecorder()
        try stage.withPair(server: server, client: client) { _ in
            client.whenMade = { $0.transport.loseWriteConnection() }
            client.whenWriteLost = { $0.transport.loseConnection() }
            server.whenReadLost = { $0.transport.loseWriteConnection() }
        }
        stage.expect(server.events == [.made, .readLost, .lost(.done)])
        stage.expect(client.events == [.made, .writeLost, .lost(.done)])
    }

    static func errorsFromTheHalvesCallbacks(on stage: ConformanceStage) throws {
        let server = HalfCloseableRecorder()
        let client = HalfCloseableRecorder()
        let log = RecordedLog()
        try stage.withPair(server: server, client: client, log: log, errors: 2) { _ in
            client.whenMade = { $0.transport.loseWriteConnection() }
            client.whenWriteLost = { _ in throw Refusal(number: 1) }
            server.whenReadLost = { _ in throw Refusal(number: 2) }
        }
        stage.expect(server.events == [.made, .readLost, .lost(.failed)])
        stage.expect(client.events == [.made, .writeLost, .lost(.failed)])
        stage.expect(log.count(containing: "HalfCloseableRecorder.writeConnectionLost threw: Refusal(number: 1)") == 1)
        stage.expect(log.count(containing: "HalfCloseableRecorder.readConnectionLost threw: Refusal(number: 2)") == 1)
    }

    static func theLossOfAHalfClosedPeerIsNoticed(on stage: ConformanceStage) throws {
        let server = HalfCloseableRecorder()
        var start: ReactorClock.Instant?
        let pair = try stage.withPair(server: server) { pair in
            pair.client.whenMade = { $0.transport.loseWriteConnection() }
            server.whenReadLost = { server in
                start = pair.reactor.now
                let used = stage.threadProcessorTime
                pair.client.transport.abortConnection()
                server.whenLost = { _, _ in stage.expect(stage.threadProcessorTime - used < .milliseconds(300), "the reactor spins") }
            }
        }
        stage.expect(server.events == [.made, .readLost, .lost(.lost)])
        stage.expect(try stage.require(start).duration(to: pair.reactor.now) < .seconds(5))
    }
}
