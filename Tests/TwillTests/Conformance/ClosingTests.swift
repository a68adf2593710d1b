import Testing

@testable import Twill

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

extension Conformance {
    @Suite("How a connection closes")
    struct Closing {
        @Test("T01: what was written before losing the connection arrives", arguments: StreamKind.allCases)
        func whatWasWrittenBeforeArrives(on kind: StreamKind) throws {
            let pair = try withPair(on: kind) { pair in
                pair.server.whenMade = {
                    $0.transport.write("hello")
                    $0.transport.loseConnection()
                }
            }
            #expect(pair.client.events == [.made, .data("hello"), .lost(.done)])
            #expect(pair.server.events == [.made, .lost(.done)])
        }

        @Test("T01: a farewell that the system does not take at once arrives whole", arguments: StreamKind.allCases)
        func aBigFarewellArrivesWhole(on kind: StreamKind) throws {
            let pair = try withPair(on: kind) { pair in
                pair.server.whenMade = { server in
                    server.transport.write(tooMuch)
                    #expect(server.transport.bufferedByteCount > 0)
                    server.transport.write("the end")
                    server.transport.loseConnection()
                }
            }
            expectSame(pair.client.received, as: tooMuch + Array("the end".utf8))
            #expect(pair.client.reason == .done)
            #expect(pair.server.reason == .done)
        }

        /// Writes in each way there is.
        private func writeInEveryWay(_ transport: Transport) {
            let large = [UInt8](repeating: 1, count: 100_000)
            transport.write(" after")
            transport.write(large)
            transport.write(SharedBytes(" after"))
            transport.write(SharedBytes(large))
            transport.writeSequence([Array(" after".utf8), large])
            transport.writeFrame(prefix: edge("12345678"), body: large.span, suffix: edge("9"))
            transport.writeFrame(prefix: edge("12"), body: [3].span, suffix: edge("4"))
        }

        @Test("T02: what is written after losing the connection is dropped", arguments: StreamKind.allCases)
        func whatIsWrittenAfterIsDropped(on kind: StreamKind) throws {
            let pair = try withPair(on: kind) { pair in
                pair.server.whenMade = {
                    $0.transport.write("hello")
                    $0.transport.loseConnection()
                    writeInEveryWay($0.transport)
                }
            }
            expectSame(pair.client.received, as: Array("hello".utf8))
        }

        @Test("T02: what is written while the rest is still being sent is dropped", arguments: StreamKind.allCases)
        func whatIsWrittenWhileTheRestIsSentIsDropped(on kind: StreamKind) throws {
            let pair = try withPair(on: kind) { pair in
                pair.server.whenMade = { server in
                    server.transport.write(tooMuch)
                    server.transport.loseConnection()
                    writeInEveryWay(server.transport)
                    server.transport.reactor.afterTurns(2) { writeInEveryWay(server.transport) }
                }
            }
            expectSame(pair.client.received, as: tooMuch)
            #expect(pair.server.events == [.made, .lost(.done)])
        }

        @Test("T03: what is written after losing an idle connection is dropped", arguments: StreamKind.allCases)
        func whatIsWrittenAfterLosingAnIdleConnectionIsDropped(on kind: StreamKind) throws {
            let pair = try withPair(on: kind) { pair in
                pair.server.whenMade = {
                    $0.transport.loseConnection()
                    writeInEveryWay($0.transport)
                }
            }
            #expect(pair.client.events == [.made, .lost(.done)])
        }

        @Test("T05: the loss is told on a later turn, whoever asked for it", arguments: StreamKind.allCases, [false, true])
        func theLossIsToldLater(on kind: StreamKind, byAborting: Bool) throws {
            let pair = try withPair(on: kind) { pair in
                pair.server.whenMade = { server in
                    if byAborting { server.transport.abortConnection() } else { server.transport.loseConnection() }
                    #expect(server.events == [.made])
                    #expect(server.transport.state == .disconnecting)
                }
            }
            #expect(pair.server.events == [.made, .lost(byAborting ? .aborted : .done)])
        }

        @Test("T05: aborting drops what was written and resets the peer", arguments: StreamKind.allCases)
        func abortingDropsWhatWasWritten(on kind: StreamKind) throws {
            let pair = try withPair(on: kind) { pair in
                pair.server.whenMade = {
                    $0.transport.write("dropped")
                    $0.transport.abortConnection()
                    writeInEveryWay($0.transport)
                }
            }
            #expect(pair.server.events == [.made, .lost(.aborted)])
            #expect(pair.client.events == [.made, .lost(kind.lossByAbort)])
            guard kind.resets else { return }
            let reason = try #require(pair.client.reason)
            #expect(reason.errno == ECONNRESET)
            #expect(reason.peer == pair.port.address)
            #expect(reason.description.hasPrefix("the connection with \(reason.peer) was lost: "))
        }

        @Test("T05: aborting drops what waits to be sent, of a closing connection too", arguments: StreamKind.allCases, [false, true])
        func abortingDropsWhatWaits(on kind: StreamKind, isClosing: Bool) throws {
            let pair = try withPair(on: kind) { pair in
                pair.server.whenMade = { server in
                    server.transport.write(tooMuch)
                    #expect(server.transport.bufferedByteCount > 0)
                    if isClosing { server.transport.loseConnection() }
                    server.transport.abortConnection()
                    #expect(server.transport.bufferedByteCount == 0)
                }
            }
            #expect(pair.server.events == [.made, .lost(.aborted)])
            #expect(pair.client.received.count < tooMuch.count)
            #expect(pair.client.reason == kind.lossByAbort)
        }

        @Test("T05c: aborting inside dataReceived tells the loss later", arguments: StreamKind.allCases)
        func abortingInsideDataReceived(on kind: StreamKind) throws {
            let pair = try withPair(on: kind) { pair in
                pair.client.whenMade = { $0.transport.write("hello") }
                pair.server.whenData = {
                    $0.transport.abortConnection()
                    #expect($0.lossCount == 0)
                }
            }
            #expect(pair.server.events == [.made, .data("hello"), .lost(.aborted)])
            #expect(pair.client.events == [.made, .lost(kind.lossByAbort)])
        }

        @Test("T05c: either end may abort the other from its callback", arguments: StreamKind.allCases)
        func eitherEndMayAbortTheOther(on kind: StreamKind) throws {
            let pair = try withPair(on: kind) { pair in
                pair.client.whenMade = { $0.transport.write("hello") }
                pair.server.whenData = { server in
                    pair.client.transport.abortConnection()
                    server.transport.abortConnection()
                    #expect(pair.client.lossCount + server.lossCount == 0)
                }
            }
            #expect(pair.server.events == [.made, .data("hello"), .lost(.aborted)])
            #expect(pair.client.events == [.made, .lost(.aborted)])
        }

        @Test("T06: what is done once the connection is lost is ignored", arguments: StreamKind.allCases)
        func whatIsDoneOnceLostIsIgnored(on kind: StreamKind) throws {
            let calls = Counter()
            func useEverything(_ transport: Transport) throws {
                writeInEveryWay(transport)
                transport.pauseProducing()
                transport.resumeProducing()
                transport.loseWriteConnection()
                transport.loseConnection()
                transport.loseConnection(because: .timedOut)
                transport.abortConnection()
                transport.stopProducing()
                transport.unregisterProducer()
                transport.waterMarks = WaterMarks(low: 1, high: 2, limit: 3)
                transport.callLater(.zero) { calls.add() }
                let producer = CallRecordingProducer(transport)
                try transport.registerProducer(producer, streaming: true)
                #expect(producer.calls == [.stop])
                #expect(transport.bufferedByteCount == 0)
                #expect(transport.state == .disconnected)
            }
            let pair = try withPair(on: kind) { pair in
                pair.server.whenMade = { $0.transport.loseConnection() }
                for end in [pair.server, pair.client] {
                    end.whenLost = { end, _ in
                        try useEverything(end.transport)
                        pair.reactor.callLater(.zero) { try useEverything(end.transport) }
                    }
                }
            }
            #expect(pair.server.events == [.made, .lost(.done)])
            #expect(pair.client.events == [.made, .lost(.done)])
            #expect(calls.value == 0, "a connection's timer outlived it")
        }

        @Test("T14: losing the connection twice is losing it once, for the first reason", arguments: StreamKind.allCases)
        func losingTwiceIsLosingOnce(on kind: StreamKind) throws {
            let pair = try withPair(on: kind) { pair in
                pair.server.whenMade = {
                    $0.transport.write("bye")
                    $0.transport.loseConnection(because: .timedOut)
                    $0.transport.loseConnection()
                    $0.transport.loseConnection(because: .unsentLimit)
                }
            }
            #expect(pair.server.events == [.made, .lost(.timedOut)])
            #expect(pair.client.events == [.made, .data("bye"), .lost(.done)])
        }

        @Test("T15: nothing is delivered after losing the connection, though it is there", arguments: StreamKind.allCases, [false, true])
        func nothingIsDeliveredAfterLosing(on kind: StreamKind, byAborting: Bool) throws {
            let pair = try withPair(on: kind) { pair in
                // More than one call delivers.
                pair.client.whenMade = { $0.transport.write(tooMuch.prefix(1 << 20)) }
                pair.server.whenData = { server in
                    // So that it takes a while to close.
                    server.transport.write(tooMuch)
                    if byAborting { server.transport.abortConnection() } else { server.transport.loseConnection() }
                    server.transport.resumeProducing()
                }
            }
            #expect(pair.server.pieces.count == 1)
            #expect(pair.server.reason == (byAborting ? .aborted : .done))
            #expect(pair.client.reason == (byAborting ? .lost : .done))
        }

        @Test("T16: a peer that takes nothing is given up", arguments: StreamKind.allCases)
        func aPeerThatTakesNothingIsGivenUp(on kind: StreamKind) throws {
            var options = TransportOptions()
            options.stallTimeout = .milliseconds(50)
            var start: ReactorClock.Instant?
            let pair = try withPair(on: kind, serverOptions: options) { pair in
                start = pair.reactor.now
                pair.client.whenMade = { $0.transport.pauseProducing() }
                pair.server.whenMade = {
                    $0.transport.write(tooMuch)
                    $0.transport.loseConnection()
                }
                pair.server.whenLost = { _, _ in pair.client.transport.abortConnection() }
            }
            #expect(pair.server.events == [.made, .lost(.timedOut)])
            let elapsed = try #require(start).duration(to: pair.reactor.now)
            #expect(elapsed >= .milliseconds(50))
        }

        @Test("R11: stopping the reactor loses every connection, though one of them throws", arguments: StreamKind.allCases)
        func stoppingTheReactorLosesEveryConnection(on kind: StreamKind) throws {
            let log = RecordedLog()
            let ends = (0..<3).map { _ in (server: Recorder(), client: Recorder()) }
            ends[0].server.whenLost = { _, _ in throw Refusal() }
            try withReactor(on: kind, log: log, errors: 1) { reactor in
                let pairs = try ends.map { try Pair(reactor, on: kind, server: $0.server, client: $0.client) }
                for end in ends { end.client.whenMade = { $0.transport.write("hello") } }
                reactor.when {
                    ends.allSatisfy { $0.server.text == "hello" }
                } then: {
                    for pair in pairs { pair.server.transport.write("goodbye") }
                    reactor.stop()
                }
            }
            for end in ends {
                end.server.expectWholeLife()
                end.client.expectWholeLife()
                #expect(end.server.reason == .reactorStopped)
                #expect(end.client.reason == .reactorStopped)
            }
            #expect(log.count(containing: "Recorder.connectionLost threw: Refusal(number: 0)") == 1)
        }
    }
}
