import Testing

@testable import Twill

extension Conformance {
    @Suite("What is written and what arrives")
    struct Writing {
        @Test("T18: an empty write is none, and a sequence arrives as one", arguments: StreamKind.allCases)
        func emptyWritesAndSequences(on kind: StreamKind) throws {
            let none: [UInt8] = []
            let pair = try withPair(on: kind) { pair in
                pair.server.whenMade = {
                    $0.transport.write("")
                    $0.transport.write(SharedBytes([UInt8]()))
                    $0.transport.writeSequence([Array("a".utf8), [], Array("b".utf8)])
                    $0.transport.writeFrame(prefix: .none, body: none.span, suffix: .none)
                    $0.transport.write(none)
                    $0.transport.loseConnection()
                }
            }
            #expect(pair.client.events == [.made, .data("ab"), .lost(.done)])
        }

        @Test("T19: sixty megabytes and one byte more arrive before the close", arguments: StreamKind.allCases)
        func sixtyMegabytesAndOneByteMore(on kind: StreamKind) throws {
            var options = TransportOptions()
            options.waterMarks.limit = 64 << 20
            let large = bytes(60_000_000)
            let pair = try withPair(on: kind, serverOptions: options) { pair in
                pair.server.whenMade = {
                    $0.transport.write(large)
                    $0.transport.write([0x21])
                    $0.transport.loseConnection()
                }
            }
            expectSame(pair.client.received, as: large + [0x21])
        }

        @Test("P11: input comes in pieces of at most 256 KiB", arguments: StreamKind.allCases)
        func inputComesInPieces(on kind: StreamKind) throws {
            let pair = try withPair(on: kind) { pair in
                pair.client.whenMade = {
                    $0.transport.write(tooMuch)
                    $0.transport.loseConnection()
                }
                // So that much lies there at once.
                pair.server.whenMade = { server in
                    server.transport.pauseProducing()
                    pair.reactor.when {
                        pair.reactor.statistics.connections.bytesSent > (kind == .pipes ? 60_000 : kind == .unix ? 150_000 : 300_000)
                    } then: {
                        server.transport.resumeProducing()
                    }
                }
            }
            expectSame(pair.server.received, as: tooMuch)
            #expect(pair.server.pieces.allSatisfy { (1...(256 << 10)).contains($0) })
        }

        @Test("P12: what a callback writes leaves when the callback returns, and in one piece", arguments: StreamKind.allCases)
        func aCallbacksWritesLeaveTogether(on kind: StreamKind) throws {
            let pair = try withPair(on: kind) { pair in
                pair.server.whenMade = { server in
                    for _ in 0..<10 { server.transport.write("ten bytes.") }
                    #expect(pair.reactor.statistics.connections.bytesSent == kind.headerByteCount, "it left inside the call")
                    pair.reactor.callLater(.zero) {
                        #expect(pair.reactor.statistics.connections.bytesSent == 100 + kind.headerByteCount)
                    }
                }
                pair.client.whenData = { if $0.received.count == 100 { $0.transport.loseConnection() } }
            }
            #expect(pair.client.pieces == [100])
        }

        @Test("P12: what is written by a timer or by another connection's callback leaves when it returns", arguments: StreamKind.allCases)
        func writesFromElsewhereLeave(on kind: StreamKind) throws {
            let pair = try withPair(on: kind) { pair in
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
            #expect(pair.client.events == [.made, .data("timer"), .data(" elsewhere"), .lost(.done)])
            #expect(pair.server.text == "own")
        }

        @Test("P12: a large write leaves at once", arguments: StreamKind.allCases)
        func aLargeWriteLeavesAtOnce(on kind: StreamKind) throws {
            try withPair(on: kind) { pair in
                pair.server.whenMade = { server in
                    server.transport.write("first ")
                    server.transport.write([UInt8](repeating: 1, count: 40_000))
                    #expect(pair.reactor.statistics.connections.bytesSent == 40_006 + kind.headerByteCount)
                    server.transport.loseConnection()
                }
            }
        }

        @Test("bytes written in all sizes over many turns keep their order", arguments: StreamKind.allCases, UInt64(1)...3)
        func writesOfAllSizesKeepTheOrder(on kind: StreamKind, seed: UInt64) throws {
            var generator = SeededGenerator(seed: seed)
            // Around the sizes where the way changes: the stage's capacity and the size that skips it.
            let sizes = (0..<100).map { _ in
                [1, 64, 1_000, 32_767, 32_768, 65_535, 65_536, 65_537, 200_000].randomElement(using: &generator) ?? 1
            }
            var expected: [UInt8] = []
            let pair = try withPair(on: kind) { pair in
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
            expectSame(pair.client.received, as: expected)
        }

        @Test("more unsent bytes than the limit abort the connection, with a reason of its own", arguments: StreamKind.allCases)
        func tooManyUnsentBytes(on kind: StreamKind) throws {
            var options = TransportOptions()
            options.waterMarks.limit = 1 << 20
            let pair = try withPair(on: kind, serverOptions: options) { pair in
                pair.server.whenMade = { server in
                    server.transport.write(tooMuch)
                    #expect(server.lossCount == 0, "the loss is told on a later turn")
                    server.transport.write("dropped")
                }
            }
            #expect(pair.server.events == [.made, .lost(.unsentLimit)])
            #expect(pair.client.reason == kind.lossByAbort)
        }

        @Test("what was written right before the stop still leaves", arguments: StreamKind.allCases)
        func whatWasWrittenBeforeTheStopLeaves(on kind: StreamKind) throws {
            let pair = try withPair(on: kind) { pair in
                pair.server.whenMade = {
                    $0.transport.write("goodbye")
                    pair.reactor.stop()
                }
            }
            #expect(pair.reactor.statistics.connections.bytesSent == 7 + kind.headerByteCount)
            #expect(pair.server.reason == .reactorStopped)
        }
    }
}
