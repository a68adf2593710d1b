import Testing

@testable import Twill

extension Conformance {
    @Suite("Connections of which one half is closed")
    struct HalfClosing {
        @Test("T11: a peer that says its last word still gets what waits for it", arguments: StreamKind.allCases)
        func whatWaitsIsSentFirst(on kind: StreamKind) throws {
            let pair = try withPair(on: kind) { pair in
                pair.client.whenMade = {
                    $0.transport.pauseProducing()
                    $0.transport.loseWriteConnection()
                }
                pair.server.whenMade = { server in
                    server.transport.write(tooMuch)
                    pair.reactor.when {
                        server.transport.state == .disconnecting
                    } then: {
                        #expect(server.transport.bufferedByteCount > 0)
                        #expect(server.lossCount == 0)
                        pair.client.transport.resumeProducing()
                    }
                }
            }
            expectSame(pair.client.received, as: tooMuch)
            #expect(pair.server.events == [.made, .lost(.done)])
            #expect(pair.client.reason == .done)
        }

        @Test("T11: a peer that says its last word gets the answer to it", arguments: StreamKind.allCases)
        func theAnswerToTheLastWordIsSent(on kind: StreamKind) throws {
            let pair = try withPair(on: kind) { pair in
                pair.client.whenMade = {
                    $0.transport.write("question")
                    $0.transport.loseWriteConnection()
                }
                pair.server.whenData = { $0.transport.write("answer") }
            }
            #expect(pair.server.events == [.made, .data("question"), .lost(.done)])
            #expect(pair.client.events == [.made, .data("answer"), .lost(.done)])
        }

        @Test("T11: where what waits can't be sent after the peer's last word, the reason is not clean", arguments: StreamKind.allCases)
        func whatCanNotBeSentIsNotClean(on kind: StreamKind) throws {
            let pair = try withPair(on: kind) { pair in
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
            #expect(pair.server.events == [.made, .lost(.lost)])
        }

        @Test("T11b: a half-closeable protocol may go on writing after the peer's last word", arguments: StreamKind.allCases)
        func mayGoOnWriting(on kind: StreamKind) throws {
            let server = HalfCloseableRecorder()
            let pair = try withPair(on: kind, server: server) { pair in
                pair.client.whenMade = {
                    $0.transport.write("question")
                    $0.transport.loseWriteConnection()
                }
                server.whenReadLost = { server in
                    #expect(server.transport.state == .connected)
                    server.transport.write("first ")
                    pair.reactor.afterTurns(3) {
                        server.transport.write("second ")
                        server.transport.write(tooMuch)
                        server.transport.loseConnection()
                    }
                }
            }
            #expect(server.events == [.made, .data("question"), .readLost, .lost(.done)])
            expectSame(pair.client.received, as: Array("first second ".utf8) + tooMuch)
            #expect(pair.client.reason == .done)
        }

        @Test("T11b: a protocol that answers for another decides whether the first half ends it", arguments: StreamKind.allCases)
        func aWrapperAnswersForTheWrapped(on kind: StreamKind) throws {
            final class Wrapper: Recorder {
                let wrapped = HalfCloseableRecorder()
                override var halfCloseable: (any HalfCloseableProtocol)? { wrapped }
            }
            let server = Wrapper()
            try withPair(on: kind, server: server) { pair in
                pair.client.whenMade = { $0.transport.loseWriteConnection() }
                server.wrapped.whenReadLost = { [unowned server] _ in server.transport.loseConnection() }
            }
            #expect(server.wrapped.events == [.readLost])
        }

        @Test(
            "T12: what is written after closing one's own half is dropped, what was written before arrives", arguments: StreamKind.allCases)
        func whatIsWrittenAfterIsDropped(on kind: StreamKind) throws {
            let server = HalfCloseableRecorder()
            let client = HalfCloseableRecorder()
            let pair = try withPair(on: kind, server: server, client: client) { pair in
                server.whenMade = { server in
                    server.transport.write("a")
                    server.transport.loseWriteConnection()
                    server.transport.loseWriteConnection()
                    server.transport.write("b")
                    server.transport.write([UInt8](repeating: 1, count: 100_000))
                    #expect(server.transport.state == .connected)
                    #expect(server.events == [.made], "nothing is told from inside the call")
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
            #expect(server.events == [.made, .writeLost, .data("still heard"), .lost(.done)])
            #expect(client.events == [.made, .data("a"), .readLost, .lost(.done)])
            #expect(pair.reactor.statistics.connections.bytesReceived == 1 + "still heard".count + kind.headerByteCount)
        }

        @Test("T12: the peer hears of a closed half only after all that was written", arguments: StreamKind.allCases)
        func theHalfClosesAfterTheOutput(on kind: StreamKind) throws {
            let server = HalfCloseableRecorder()
            let client = HalfCloseableRecorder()
            try withPair(on: kind, server: server, client: client) { pair in
                server.whenMade = { server in
                    server.transport.write(tooMuch)
                    server.transport.loseWriteConnection()
                    pair.reactor.afterTurns(3) {
                        #expect(server.events == [.made])
                        client.transport.resumeProducing()
                    }
                }
                server.whenWriteLost = { #expect($0.transport.bufferedByteCount == 0) }
                client.whenMade = { $0.transport.pauseProducing() }
                client.whenReadLost = { $0.transport.loseConnection() }
            }
            expectSame(client.received, as: tooMuch)
            #expect(server.events == [.made, .writeLost, .lost(.done)])
            #expect(client.events.suffix(2) == [.readLost, .lost(.done)])
        }

        @Test(
            "T12: a protocol that is not half-closeable hears nothing of its own half, and of the peer's answer",
            arguments: StreamKind.allCases)
        func aPlainProtocolMayCloseItsHalf(on kind: StreamKind) throws {
            let client = HalfCloseableRecorder()
            let pair = try withPair(on: kind, client: client) { pair in
                pair.server.whenMade = { $0.transport.loseWriteConnection() }
                client.whenReadLost = {
                    $0.transport.write("answer")
                    $0.transport.loseConnection()
                }
            }
            #expect(pair.server.events == [.made, .data("answer"), .lost(.done)])
            #expect(client.events == [.made, .readLost, .lost(.done)])
        }

        @Test("T12: closing one's half waits for a producer", arguments: StreamKind.allCases)
        func closingOnesHalfWaitsForAProducer(on kind: StreamKind) throws {
            let server = HalfCloseableRecorder()
            let client = HalfCloseableRecorder()
            try withPair(on: kind, server: server, client: client) { pair in
                server.whenMade = { server in
                    let producer = CallRecordingProducer(server.transport)
                    try server.transport.registerProducer(producer, streaming: true)
                    server.transport.loseWriteConnection()
                    pair.reactor.afterTurns(3) {
                        #expect(server.events == [.made])
                        producer.transport.write("produced")
                        producer.transport.unregisterProducer()
                        producer.transport.write("dropped")
                    }
                }
                client.whenReadLost = { $0.transport.loseConnection() }
            }
            #expect(server.events == [.made, .writeLost, .lost(.done)])
            #expect(client.events == [.made, .data("produced"), .readLost, .lost(.done)])
        }

        @Test("T12b: closing one's half ends a peer that is not half-closeable, and then both", arguments: StreamKind.allCases)
        func closingOnesHalfEndsAPlainPeer(on kind: StreamKind) throws {
            let pair = try withPair(on: kind) { pair in
                pair.server.whenMade = { $0.transport.loseWriteConnection() }
            }
            #expect(pair.server.events == [.made, .lost(.done)])
            #expect(pair.client.events == [.made, .lost(.done)])
        }

        @Test("T12c: closing the second half closes the connection, and connectionLost alone is told", arguments: StreamKind.allCases)
        func closingTheSecondHalfClosesAll(on kind: StreamKind) throws {
            let server = HalfCloseableRecorder()
            let client = HalfCloseableRecorder()
            try withPair(on: kind, server: server, client: client) { _ in
                client.whenMade = { $0.transport.loseWriteConnection() }
                server.whenReadLost = { server in
                    server.transport.write("last")
                    server.transport.loseWriteConnection()
                    server.transport.write("dropped")
                    #expect(server.transport.state == .disconnecting)
                }
            }
            #expect(server.events == [.made, .readLost, .lost(.done)])
            #expect(client.events == [.made, .writeLost, .data("last"), .lost(.done)])
        }

        @Test("T12c: closing one's half of a connection that closes does nothing", arguments: StreamKind.allCases)
        func closingOnesHalfOfAClosingConnection(on kind: StreamKind) throws {
            let server = HalfCloseableRecorder()
            try withPair(on: kind, server: server) { _ in
                server.whenMade = {
                    $0.transport.loseConnection()
                    $0.transport.loseWriteConnection()
                }
            }
            #expect(server.events == [.made, .lost(.done)])
        }

        @Test("T12e: each half may be closed from the callback of the other", arguments: StreamKind.allCases)
        func eachHalfMayBeClosedFromACallback(on kind: StreamKind) throws {
            let server = HalfCloseableRecorder()
            let client = HalfCloseableRecorder()
            try withPair(on: kind, server: server, client: client) { _ in
                client.whenMade = { $0.transport.loseWriteConnection() }
                client.whenWriteLost = { $0.transport.loseConnection() }
                server.whenReadLost = { $0.transport.loseWriteConnection() }
            }
            #expect(server.events == [.made, .readLost, .lost(.done)])
            #expect(client.events == [.made, .writeLost, .lost(.done)])
        }

        @Test("T07: an error from readConnectionLost or writeConnectionLost is the reason", arguments: StreamKind.allCases)
        func errorsFromTheHalvesCallbacks(on kind: StreamKind) throws {
            let server = HalfCloseableRecorder()
            let client = HalfCloseableRecorder()
            let log = RecordedLog()
            try withPair(on: kind, server: server, client: client, log: log, errors: 2) { _ in
                client.whenMade = { $0.transport.loseWriteConnection() }
                client.whenWriteLost = { _ in throw Refusal(number: 1) }
                server.whenReadLost = { _ in throw Refusal(number: 2) }
            }
            #expect(server.events == [.made, .readLost, .lost(.failed)])
            #expect(client.events == [.made, .writeLost, .lost(.failed)])
            #expect(log.count(containing: "HalfCloseableRecorder.writeConnectionLost threw: Refusal(number: 1)") == 1)
            #expect(log.count(containing: "HalfCloseableRecorder.readConnectionLost threw: Refusal(number: 2)") == 1)
        }

        @Test(
            "T13: the loss of a peer that has closed its half is noticed, though nothing is sent, and nothing spins meanwhile",
            arguments: StreamKind.allCases)
        func theLossOfAHalfClosedPeerIsNoticed(on kind: StreamKind) throws {
            let server = HalfCloseableRecorder()
            let start = ContinuousClock.now
            try withPair(on: kind, server: server) { pair in
                pair.client.whenMade = { $0.transport.loseWriteConnection() }
                server.whenReadLost = { server in
                    let start = threadProcessorTime()
                    pair.client.transport.abortConnection()
                    server.whenLost = { _, _ in #expect(threadProcessorTime() - start < .milliseconds(300), "the reactor spins") }
                }
            }
            #expect(server.events == [.made, .readLost, .lost(.lost)])
            #expect(ContinuousClock.now - start < .seconds(5))
        }
    }
}
