import Foundation
import Twill

/// How a connection closes.
enum ClosingCases {
    static let all: [[ConformanceCase]] = [
        .of("T01: what was written before losing the connection arrives", whatWasWrittenBeforeArrives),
        .of("T01: a farewell that the system does not take at once arrives whole", aBigFarewellArrivesWhole),
        .of("T02: what is written after losing the connection is dropped", whatIsWrittenAfterIsDropped),
        .of("T02: what is written while the rest is still being sent is dropped", whatIsWrittenWhileTheRestIsSentIsDropped),
        .of("T03: what is written after losing an idle connection is dropped", whatIsWrittenAfterLosingAnIdleConnectionIsDropped),
        .of("T05: the loss is told on a later turn, whoever asked for it; aborting", for: [false, true], theLossIsToldLater),
        .of("T05: aborting drops what was written and resets the peer", abortingDropsWhatWasWritten),
        .of("T05: aborting drops what waits to be sent, of a closing connection too; closing", for: [false, true], abortingDropsWhatWaits),
        .of("T05c: aborting inside dataReceived tells the loss later", abortingInsideDataReceived),
        .of("T05c: either end may abort the other from its callback", eitherEndMayAbortTheOther),
        .of("T06: what is done once the connection is lost is ignored", whatIsDoneOnceLostIsIgnored),
        .of("T14: losing the connection twice is losing it once, for the first reason", losingTwiceIsLosingOnce),
        .of(
            "T15: nothing is delivered after losing the connection, though it is there; aborting", for: [false, true],
            nothingIsDeliveredAfterLosing),
        .of("T16: a peer that takes nothing is given up", aPeerThatTakesNothingIsGivenUp),
        .of("R11: stopping the reactor loses every connection, though one of them throws", stoppingTheReactorLosesEveryConnection),
    ]

    static func whatWasWrittenBeforeArrives(on stage: ConformanceStage) throws {
        let pair = try stage.withPair { pair in
            pair.server.whenMade = {
                $0.transport.write("hello")
                $0.transport.loseConnection()
            }
        }
        stage.expect(pair.client.events == [.made, .data("hello"), .lost(.done)])
        stage.expect(pair.server.events == [.made, .lost(.done)])
    }

    static func aBigFarewellArrivesWhole(on stage: ConformanceStage) throws {
        let pair = try stage.withPair { pair in
            pair.server.whenMade = { server in
                server.transport.write(tooMuch)
                stage.expect(server.transport.bufferedByteCount > 0)
                server.transport.write("the end")
                server.transport.loseConnection()
            }
        }
        stage.expectSame(pair.client.received, as: tooMuch + Array("the end".utf8))
        stage.expect(pair.client.reason == .done)
        stage.expect(pair.server.reason == .done)
    }

    /// Writes in each way there is.
    private static func writeInEveryWay(_ transport: Transport) {
        let large = [UInt8](repeating: 1, count: 100_000)
        transport.write(" after")
        transport.write(large)
        transport.write(SharedBytes(" after"))
        transport.write(SharedBytes(large))
        transport.writeSequence([Array(" after".utf8), large])
        transport.writeFrame(prefix: edge("12345678"), body: large.span, suffix: edge("9"))
        transport.writeFrame(prefix: edge("12"), body: [3].span, suffix: edge("4"))
    }

    static func whatIsWrittenAfterIsDropped(on stage: ConformanceStage) throws {
        let pair = try stage.withPair { pair in
            pair.server.whenMade = {
                $0.transport.write("hello")
                $0.transport.loseConnection()
                writeInEveryWay($0.transport)
            }
        }
        stage.expectSame(pair.client.received, as: Array("hello".utf8))
    }

    static func whatIsWrittenWhileTheRestIsSentIsDropped(on stage: ConformanceStage) throws {
        let pair = try stage.withPair { pair in
            pair.server.whenMade = { server in
                server.transport.write(tooMuch)
                server.transport.loseConnection()
                writeInEveryWay(server.transport)
                server.transport.reactor.afterTurns(2) { writeInEveryWay(server.transport) }
            }
        }
        stage.expectSame(pair.client.received, as: tooMuch)
        stage.expect(pair.server.events == [.made, .lost(.done)])
    }

    static func whatIsWrittenAfterLosingAnIdleConnectionIsDropped(on stage: ConformanceStage) throws {
        let pair = try stage.withPair { pair in
            pair.server.whenMade = {
                $0.transport.loseConnection()
                writeInEveryWay($0.transport)
            }
        }
        stage.expect(pair.client.events == [.made, .lost(.done)])
    }

    static func theLossIsToldLater(on stage: ConformanceStage, byAborting: Bool) throws {
        let pair = try stage.withPair { pair in
            pair.server.whenMade = { server in
                if byAborting { server.transport.abortConnection() } else { server.transport.loseConnection() }
                stage.expect(server.events == [.made])
                stage.expect(server.transport.state == .disconnecting)
            }
        }
        stage.expect(pair.server.events == [.made, .lost(byAborting ? .aborted : .done)])
    }

    static func abortingDropsWhatWasWritten(on stage: ConformanceStage) throws {
        let pair = try stage.withPair { pair in
            pair.server.whenMade = {
                $0.transport.write("dropped")
                $0.transport.abortConnection()
                writeInEveryWay($0.transport)
            }
        }
        stage.expect(pair.server.events == [.made, .lost(.aborted)])
        stage.expect(pair.client.events == [.made, .lost(stage.lossByAbort)])
        guard stage.resets else { return }
        let reason = try stage.require(pair.client.reason)
        stage.expect(reason.errno == ECONNRESET)
        stage.expect(reason.peer == pair.port.address)
        stage.expect(reason.description.hasPrefix("the connection with \(reason.peer) was lost: "))
    }

    static func abortingDropsWhatWaits(on stage: ConformanceStage, isClosing: Bool) throws {
        let pair = try stage.withPair { pair in
            pair.server.whenMade = { server in
                server.transport.write(tooMuch)
                stage.expect(server.transport.bufferedByteCount > 0)
                if isClosing { server.transport.loseConnection() }
                server.transport.abortConnection()
                stage.expect(server.transport.bufferedByteCount == 0)
            }
        }
        stage.expect(pair.server.events == [.made, .lost(.aborted)])
        stage.expect(pair.client.received.count < tooMuch.count)
        stage.expect(pair.client.reason == stage.lossByAbort)
    }

    static func abortingInsideDataReceived(on stage: ConformanceStage) throws {
        let pair = try stage.withPair { pair in
            pair.client.whenMade = { $0.transport.write("hello") }
            pair.server.whenData = {
                $0.transport.abortConnection()
                stage.expect($0.lossCount == 0)
            }
        }
        stage.expect(pair.server.events == [.made, .data("hello"), .lost(.aborted)])
        stage.expect(pair.client.events == [.made, .lost(stage.lossByAbort)])
    }

    static func eitherEndMayAbortTheOther(on stage: ConformanceStage) throws {
        let pair = try stage.withPair { pair in
            pair.client.whenMade = { $0.transport.write("hello") }
            pair.server.whenData = { server in
                pair.client.transport.abortConnection()
                server.transport.abortConnection()
                stage.expect(pair.client.lossCount + server.lossCount == 0)
            }
        }
        stage.expect(pair.server.events == [.made, .data("hello"), .lost(.aborted)])
        stage.expect(pair.client.events == [.made, .lost(.aborted)])
    }

    static func whatIsDoneOnceLostIsIgnored(on stage: ConformanceStage) throws {
        var calls = 0
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
            transport.callLater(.zero) { calls += 1 }
            let producer = CallRecordingProducer(transport)
            try transport.registerProducer(producer, streaming: true)
            stage.expect(producer.calls == [.stop])
            stage.expect(transport.bufferedByteCount == 0)
            stage.expect(transport.state == .disconnected)
        }
        let pair = try stage.withPair { pair in
            pair.server.whenMade = { $0.transport.loseConnection() }
            for end in [pair.server, pair.client] {
                end.whenLost = { end, _ in
                    try useEverything(end.transport)
                    pair.reactor.callLater(.zero) { try useEverything(end.transport) }
                }
            }
        }
        stage.expect(pair.server.events == [.made, .lost(.done)])
        stage.expect(pair.client.events == [.made, .lost(.done)])
        stage.expect(calls == 0, "a connection's timer outlived it")
    }

    static func losingTwiceIsLosingOnce(on stage: ConformanceStage) throws {
        let pair = try stage.withPair { pair in
            pair.server.whenMade = {
                $0.transport.write("bye")
                $0.transport.loseConnection(because: .timedOut)
                $0.transport.loseConnection()
                $0.transport.loseConnection(because: .unsentLimit)
            }
        }
        stage.expect(pair.server.events == [.made, .lost(.timedOut)])
        stage.expect(pair.client.events == [.made, .data("bye"), .lost(.done)])
    }

    static func nothingIsDeliveredAfterLosing(on stage: ConformanceStage, byAborting: Bool) throws {
        let pair = try stage.withPair { pair in
            // More than one call delivers.
            pair.client.whenMade = { $0.transport.write(tooMuch.prefix(1 << 20)) }
            pair.server.whenData = { server in
                // So that it takes a while to close.
                server.transport.write(tooMuch)
                if byAborting { server.transport.abortConnection() } else { server.transport.loseConnection() }
                server.transport.resumeProducing()
            }
        }
        stage.expect(pair.server.pieces.count == 1)
        stage.expect(pair.server.reason == (byAborting ? .aborted : .done))
        stage.expect(pair.client.reason == (byAborting ? .lost : .done))
    }

    static func aPeerThatTakesNothingIsGivenUp(on stage: ConformanceStage) throws {
        var options = TransportOptions()
        options.stallTimeout = .milliseconds(50)
        var start: ReactorClock.Instant?
        let pair = try stage.withPair(serverOptions: options) { pair in
            start = pair.reactor.now
            pair.client.whenMade = { $0.transport.pauseProducing() }
            pair.server.whenMade = {
                $0.transport.write(tooMuch)
                $0.transport.loseConnection()
            }
            pair.server.whenLost = { _, _ in pair.client.transport.abortConnection() }
        }
        stage.expect(pair.server.events == [.made, .lost(.timedOut)])
        let elapsed = try stage.require(start).duration(to: pair.reactor.now)
        stage.expect(elapsed >= .milliseconds(50))
    }

    static func stoppingTheReactorLosesEveryConnection(on stage: ConformanceStage) throws {
        let log = RecordedLog()
        let ends = (0..<3).map { _ in (server: Recorder(), client: Recorder()) }
        ends[0].server.whenLost = { _, _ in throw Refusal() }
        try stage.withReactor(log: log, errors: 1) { reactor in
            let pairs = try ends.map { try ConformancePair(reactor, on: stage, server: $0.server, client: $0.client) }
            for end in ends { end.client.whenMade = { $0.transport.write("hello") } }
            reactor.when {
                ends.allSatisfy { $0.server.text == "hello" }
            } then: {
                for pair in pairs { pair.server.transport.write("goodbye") }
                reactor.stop()
            }
        }
        for end in ends {
            stage.expectWholeLife(end.server)
            stage.expectWholeLife(end.client)
            stage.expect(end.server.reason == .reactorStopped)
            stage.expect(end.client.reason == .reactorStopped)
        }
        stage.expect(log.count(containing: "Recorder.connectionLost threw: Refusal(number: 0)") == 1)
    }
}
