import Twill

/// What is written and what arrives.
enum WritingCases {
    static let all: [[ConformanceCase]] = [
        .of("T18: an empty write is none, and a sequence arrives as one", emptyWritesAndSequences),
        .of("T19: sixty megabytes and one byte more arrive before the close", sixtyMegabytesAndOneByteMore),
        .of("P11: input comes in pieces of at most 256 KiB", inputComesInPieces),
        .of("P12: what a callback writes leaves when the callback returns, and in one piece", aCallbacksWritesLeaveTogether),
        .of("P12: what is written by a timer or by another connection's callback leaves when it returns", writesFromElsewhereLeave),
        .of("P12: a large write leaves at once", aLargeWriteLeavesAtOnce),
        .of("bytes written in all sizes over many turns keep their order; seed", for: [1, 2, 3], writesOfAllSizesKeepTheOrder),
        .of("more unsent bytes than the limit abort the connection, with a reason of its own", tooManyUnsentBytes),
        .of("what was written right before the stop still leaves", whatWasWrittenBeforeTheStopLeaves),
    ]

    static func emptyWritesAndSequences(on stage: ConformanceStage) throws {
        let none: [UInt8] = []
        let pair = try stage.withPair { pair in
            pair.server.whenMade = {
                $0.transport.write("")
                $0.transport.write(SharedBytes([UInt8]()))
                $0.transport.writeSequence([Array("a".utf8), [], Array("b".utf8)])
                $0.transport.writeFrame(prefix: .none, body: none.span, suffix: .none)
                $0.transport.write(none)
                $0.transport.loseConnection()
            }
        }
        stage.expect(pair.client.events == [.made, .data("ab"), .lost(.done)])
    }

    static func sixtyMegabytesAndOneByteMore(on stage: ConformanceStage) throws {
        var options = TransportOptions()
        options.waterMarks.limit = 64 << 20
        let large = conformanceBytes(60_000_000)
        let pair = try stage.withPair(serverOptions: options) { pair in
            pair.server.whenMade = {
                $0.transport.write(large)
                $0.transport.write([0x21])
                $0.transport.loseConnection()
            }
        }
        stage.expectSame(pair.client.received, as: large + [0x21])
    }

    static func inputComesInPieces(on stage: ConformanceStage) throws {
        let pair = try stage.withPair { pair in
            pair.client.whenMade = {
                $0.transport.write(tooMuch)
                $0.transport.loseConnection()
            }
            // So that much lies there at once.
            pair.server.whenMade = { server in
                server.transport.pauseProducing()
                pair.reactor.when {
                    pair.reactor.statistics.connections.bytesSent > stage.subject.unreadBytesMin
                } then: {
                    server.transport.resumeProducing()
                }
            }
        }
        stage.expectSame(pair.server.received, as: tooMuch)
        stage.expect(pair.server.pieces.allSatisfy { (1...(256 << 10)).contains($0) })
    }

    static func aCallbacksWritesLeaveTogether(on stage: ConformanceStage) throws {
        let pair = try stage.withPair { pair in
            pair.server.whenMade = { server in
                for _ in 0..<10 { server.transport.write("ten bytes.") }
                stage.expect(pair.reactor.statistics.connections.bytesSent == stage.headerByteCount, "it left inside the call")
                pair.reactor.callLater(.zero) {
                    stage.expect(pair.reactor.statistics.connections.bytesSent == 100 + stage.headerByteCount)
                }
            }
            pair.client.whenData = { if $0.received.count == 100 { $0.transport.loseConnection() } }
        }
        stage.expect(pair.client.pieces == [100])
    }

    static func writesFromElsewhereLeave(on stage: ConformanceStage) throws {
        let pair = try stage.withPair { pair in
            pair.server.whenMade = { server in
                pair.reactor.callLater(.zero) { server.transport.write("timer") }
            }
            pair.client.whenData = { client in
                switch client.text {
                case "timer":
                    // The server's transport is written to from the client's callback.
                    pair.server.transport.write(" elsewhere")
                    client.transport.write("own")
                default:
                    let server = ReactorBound(pair.server)
                    pair.reactor.handle.callFromThread { _ in server.value.transport.loseConnection() }
                }
            }
        }
        stage.expect(pair.client.events == [.made, .data("timer"), .data(" elsewhere"), .lost(.done)])
        stage.expect(pair.server.text == "own")
    }

    static func aLargeWriteLeavesAtOnce(on stage: ConformanceStage) throws {
        try stage.withPair { pair in
            pair.server.whenMade = { server in
                server.transport.write("first ")
                server.transport.write([UInt8](repeating: 1, count: 40_000))
                stage.expect(pair.reactor.statistics.connections.bytesSent == 40_006 + stage.headerByteCount)
                server.transport.loseConnection()
            }
        }
    }

    static func writesOfAllSizesKeepTheOrder(on stage: ConformanceStage, seed: UInt64) throws {
        var generator = SimulatedRandom(seed: seed)
        // Around the sizes where the way changes: the stage's capacity and the size that skips it.
        let sizes = (0..<100).map { _ in
            [1, 64, 1_000, 32_767, 32_768, 65_535, 65_536, 65_537, 200_000].randomElement(using: &generator) ?? 1
        }
        var expected: [UInt8] = []
        let pair = try stage.withPair { pair in
            pair.server.whenMade = { server in
                var left = sizes[...]
                func writeSome() {
                    for size in left.prefix(10) {
                        let bytes = [UInt8](repeating: UInt8(truncatingIfNeeded: left.count &* 31 &+ size), count: size)
                        expected += bytes
                        switch size % 3 {
                        case 0: server.transport.write(bytes)
                        case 1: server.transport.write(SharedBytes(bytes))
                        default:
                            let (prefix, suffix) = (edge("<234567>"), edge(">"))
                            server.transport.writeFrame(prefix: prefix, body: bytes.span, suffix: suffix)
                            expected.insert(contentsOf: prefix.bytes, at: expected.count - size)
                            expected += suffix.bytes
                        }
                    }
                    left = left.dropFirst(10)
                    if left.isEmpty { server.transport.loseConnection() } else { pair.reactor.callLater(.zero, writeSome) }
                }
                writeSome()
            }
        }
        stage.expectSame(pair.client.received, as: expected)
    }

    static func tooManyUnsentBytes(on stage: ConformanceStage) throws {
        var options = TransportOptions()
        options.waterMarks.limit = 1 << 20
        let pair = try stage.withPair(serverOptions: options) { pair in
            pair.server.whenMade = { server in
                server.transport.write(tooMuch)
                stage.expect(server.lossCount == 0, "the loss is told on a later turn")
                server.transport.write("dropped")
            }
        }
        stage.expect(pair.server.events == [.made, .lost(.unsentLimit)])
        stage.expect(pair.client.reason == stage.lossByAbort)
    }

    static func whatWasWrittenBeforeTheStopLeaves(on stage: ConformanceStage) throws {
        let pair = try stage.withPair { pair in
            pair.server.whenMade = {
                $0.transport.write("goodbye")
                pair.reactor.stop()
            }
        }
        stage.expect(pair.reactor.statistics.connections.bytesSent == 7 + stage.headerByteCount)
        stage.expect(pair.server.reason == .reactorStopped)
    }
}
