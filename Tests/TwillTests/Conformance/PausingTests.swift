import Testing

@testable import Twill

extension Conformance {
    @Suite("Connections whose reading is paused")
    struct Pausing {
        @Test("T13: nothing is delivered until reading is resumed", arguments: StreamKind.allCases)
        func nothingIsDeliveredUntilResumed(on kind: StreamKind) throws {
            let pair = try withPair(on: kind) { pair in
                pair.client.whenMade = { $0.transport.write("hello") }
                pair.server.whenMade = { server in
                    server.transport.pauseProducing()
                    server.transport.pauseProducing()
                    pair.reactor.when {
                        pair.reactor.statistics.connections.bytesSent == 5 + kind.headerByteCount
                    } then: {
                        pair.reactor.afterTurns(5) {
                            #expect(server.events == [.made])
                            server.transport.resumeProducing()
                            server.transport.resumeProducing()
                            #expect(server.events == [.made], "nothing is delivered inside the call")
                        }
                    }
                }
                pair.server.whenData = { $0.transport.loseConnection() }
            }
            #expect(pair.server.events == [.made, .data("hello"), .lost(.done)])
        }

        @Test("T13: pausing inside dataReceived holds back what comes next", arguments: StreamKind.allCases)
        func pausingInsideACallback(on kind: StreamKind) throws {
            let pair = try withPair(on: kind) { pair in
                // More than one call delivers.
                pair.client.whenMade = {
                    $0.transport.write(tooMuch)
                    $0.transport.loseConnection()
                }
                var isPaused = false
                pair.server.whenData = { server in
                    #expect(!isPaused)
                    server.transport.pauseProducing()
                    isPaused = true
                    pair.reactor.afterTurns(2) {
                        isPaused = false
                        server.transport.resumeProducing()
                    }
                }
            }
            expectSame(pair.server.received, as: tooMuch)
            #expect(pair.server.reason == .done)
        }

        @Test("T13: a pause that is over when the callback returns holds nothing back", arguments: StreamKind.allCases)
        func aPauseThatIsOverAtOnce(on kind: StreamKind) throws {
            let pair = try withPair(on: kind) { pair in
                pair.client.whenMade = { $0.transport.write("a") }
                pair.server.whenData = { server in
                    server.transport.pauseProducing()
                    server.transport.resumeProducing()
                    if server.text == "abc" { server.transport.loseConnection() } else { server.transport.write("next") }
                }
                pair.client.whenData = { $0.transport.write($0.received.count == 4 ? "b" : "c") }
            }
            #expect(pair.server.events == [.made, .data("a"), .data("b"), .data("c"), .lost(.done)])
        }

        @Test("T13: a paused connection can still write and close, with input unread", arguments: StreamKind.allCases)
        func aPausedConnectionCanWriteAndClose(on kind: StreamKind) throws {
            let pair = try withPair(on: kind) { pair in
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
            #expect(pair.server.events == [.made, .lost(.done)])
            #expect(pair.client.received.count == tooMuch.count, "unread input makes no reset that destroys the farewell")
            #expect(pair.client.reason == .done)
        }

        @Test("P09: resuming a connection that closes delivers nothing", arguments: StreamKind.allCases)
        func resumingAClosingConnection(on kind: StreamKind) throws {
            let pair = try withPair(on: kind) { pair in
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
            #expect(pair.server.events == [.made, .lost(.done)])
        }

        /// How a peer goes.
        enum Departure: CaseIterable {
            case inGoodOrder, byReset

            func reason(on kind: StreamKind) -> ConnectionLost { self == .inGoodOrder ? .done : kind.lossByAbort }

            func leave(_ transport: Transport) {
                switch self {
                case .inGoodOrder: transport.loseConnection()
                case .byReset: transport.abortConnection()
                }
            }
        }

        @Test("T13: the loss of the peer is noticed while reading is paused", arguments: StreamKind.allCases, Departure.allCases)
        func theLossIsNoticed(on kind: StreamKind, departure: Departure) throws {
            let pair = try withPair(on: kind) { pair in
                pair.server.whenMade = { server in
                    server.transport.pauseProducing()
                    pair.reactor.when {
                        !pair.client.events.isEmpty
                    } then: {
                        departure.leave(pair.client.transport)
                    }
                }
            }
            #expect(pair.server.events == [.made, .lost(departure.reason(on: kind))])
        }

        @Test("T13: a half-closeable protocol hears of the peer's last word while reading is paused", arguments: StreamKind.allCases)
        func theLastWordIsNoticed(on kind: StreamKind) throws {
            let server = HalfCloseableRecorder()
            try withPair(on: kind, server: server) { pair in
                server.whenMade = { $0.transport.pauseProducing() }
                pair.client.whenMade = { $0.transport.loseWriteConnection() }
                server.whenReadLost = { server in
                    server.transport.resumeProducing()
                    pair.reactor.afterTurns(3) { server.transport.loseConnection() }
                }
            }
            #expect(server.events == [.made, .readLost, .lost(.done)])
        }

        /// Joins a pair whose server is paused with input unread, and runs `then` when it lies there.
        private func withUnreadInput(
            on kind: StreamKind, server: Recorder = Recorder(), _ then: @escaping (Pair) throws -> Void
        ) throws -> Pair {
            try withPair(on: kind, server: server) { pair in
                pair.server.whenMade = { $0.transport.pauseProducing() }
                pair.client.whenMade = { $0.transport.write("last words") }
                pair.reactor.when {
                    pair.reactor.statistics.connections.bytesSent > 0 && !pair.server.events.isEmpty
                } then: {
                    pair.reactor.afterTurns(3) { try then(pair) }
                }
            }
        }

        @Test("T13: the loss does not overtake input that waits, and nothing spins meanwhile", arguments: StreamKind.allCases)
        func theLossDoesNotOvertakeInput(on kind: StreamKind) throws {
            let pair = try withUnreadInput(on: kind) { pair in
                pair.client.transport.loseConnection()
                pair.reactor.when {
                    pair.client.lossCount == 1
                } then: {
                    let start = threadProcessorTime()
                    pair.reactor.callLater(.milliseconds(200)) {
                        #expect(pair.server.events == [.made])
                        #expect(threadProcessorTime() - start < .milliseconds(100), "the reactor spins")
                        pair.server.transport.resumeProducing()
                    }
                }
            }
            #expect(pair.server.events == [.made, .data("last words"), .lost(.done)])
        }

        @Test(
            "T13: a reset is noticed though input waits, within a second and without a spin",
            arguments: StreamKind.allCases.filter(\.resets))
        func aResetIsNoticedThoughInputWaits(on kind: StreamKind) throws {
            let start = Shared((time: ContinuousClock.now, processor: Duration.zero))
            let pair = try withUnreadInput(on: kind) { pair in
                pair.client.transport.abortConnection()
                pair.reactor.when {
                    pair.client.lossCount == 1
                } then: {
                    start.value = (.now, threadProcessorTime())
                    pair.server.whenLost = { _, _ in
                        #expect(threadProcessorTime() - start.value.processor < .milliseconds(300), "the reactor spins")
                    }
                }
            }
            #expect(pair.server.events == [.made, .lost(.lost)])
            #expect(ContinuousClock.now - start.value.time < .seconds(5))
        }

        @Test(
            "T13: a paused half-closeable protocol hears the last words before it hears that they were the last",
            arguments: StreamKind.allCases)
        func theEndDoesNotOvertakeInput(on kind: StreamKind) throws {
            let server = HalfCloseableRecorder()
            server.whenReadLost = { $0.transport.loseConnection() }
            _ = try withUnreadInput(on: kind, server: server) { pair in
                pair.client.transport.loseWriteConnection()
                pair.reactor.afterTurns(5) {
                    #expect(server.events == [.made])
                    server.transport.resumeProducing()
                }
            }
            #expect(server.events == [.made, .data("last words"), .readLost, .lost(.done)])
        }

        @Test("T13: the loss is noticed while reading is paused and output waits", arguments: StreamKind.allCases)
        func theLossIsNoticedWhileOutputWaits(on kind: StreamKind) throws {
            let pair = try withPair(on: kind) { pair in
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
            #expect(pair.server.events == [.made, .lost(.lost)])
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

        @Test("T13: many paused connections cost a sleeping reactor next to nothing", arguments: StreamKind.allCases)
        func manyPausedConnectionsCostNothing(on kind: StreamKind) throws {
            let ends = (0..<20).map { _ in (server: Recorder(), client: Recorder()) }
            try withReactor(on: kind) { reactor in
                for end in ends {
                    _ = try Pair(reactor, on: kind, server: end.server, client: end.client, stopsReactor: false)
                    end.server.whenMade = { $0.transport.pauseProducing() }
                    end.client.whenMade = {
                        $0.transport.write("unread")
                        $0.transport.loseConnection()
                    }
                }
                reactor.when {
                    ends.allSatisfy { $0.client.lossCount == 1 }
                } then: {
                    let start = threadProcessorTime()
                    reactor.callLater(.milliseconds(200)) {
                        #expect(threadProcessorTime() - start < .milliseconds(100), "the reactor spins")
                        #expect(ends.allSatisfy { $0.server.events == [.made] })
                        reactor.stop()
                    }
                }
            }
            for end in ends { #expect(end.server.events == [.made, .lost(.reactorStopped)]) }
        }
    }
}
