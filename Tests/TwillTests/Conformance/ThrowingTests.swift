import Testing

@testable import Twill

extension Conformance {
    @Suite("Callbacks that throw")
    struct Throwing {
        @Test("T07: an error from dataReceived is logged once and is the reason", arguments: StreamKind.allCases)
        func fromDataReceived(on kind: StreamKind) throws {
            let log = RecordedLog()
            let pair = try withPair(on: kind, log: log, errors: 1) { pair in
                pair.client.whenMade = { $0.transport.write("hello") }
                pair.server.whenData = {
                    $0.transport.write("500 sorry")
                    throw Refusal(number: 7)
                }
            }
            #expect(pair.server.events == [.made, .data("hello"), .lost(.failed)])
            #expect(pair.server.reason?.underlying as? Refusal == Refusal(number: 7))
            #expect(pair.client.events == [.made, .data("500 sorry"), .lost(.done)], "what was written before is sent")
            #expect(log.count(containing: "Recorder.dataReceived threw: Refusal(number: 7)") == 1)
        }

        @Test(
            "T08, T08b: an error from connectionMade closes the connection, on either side", arguments: StreamKind.allCases, [false, true])
        func fromConnectionMade(on kind: StreamKind, isServer: Bool) throws {
            let log = RecordedLog()
            let pair = try withPair(on: kind, log: log, errors: 1) { pair in
                let (thrower, other) = isServer ? (pair.server, pair.client) : (pair.client, pair.server)
                other.whenMade = { $0.transport.write("never delivered") }
                thrower.whenMade = { _ in throw Refusal(number: 8) }
            }
            let (thrower, other) = isServer ? (pair.server, pair.client) : (pair.client, pair.server)
            #expect(thrower.events == [.made, .lost(.failed)])
            #expect(thrower.reason?.underlying as? Refusal == Refusal(number: 8))
            #expect(other.events == [.made, .lost(.done)])
            #expect(log.count(containing: "Recorder.connectionMade threw: Refusal(number: 8)") == 1)
        }

        @Test("T05d: an error after an abort is the reason, and is logged once", arguments: StreamKind.allCases)
        func afterAnAbort(on kind: StreamKind) throws {
            let pair = try withPair(on: kind, errors: 1) { pair in
                pair.client.whenMade = { $0.transport.write("hello") }
                pair.server.whenData = {
                    $0.transport.abortConnection()
                    throw Refusal(number: 5)
                }
            }
            #expect(pair.server.reason == .failed)
            #expect(pair.server.reason?.underlying as? Refusal == Refusal(number: 5))
            #expect(pair.client.reason == kind.lossByAbort, "the abort still resets the peer")
        }

        @Test("T05d: an abort after an error leaves the error the reason", arguments: StreamKind.allCases)
        func beforeAnAbort(on kind: StreamKind) throws {
            let pair = try withPair(on: kind, errors: 1) { pair in
                pair.server.whenMade = { server in
                    server.transport.write(tooMuch)
                    pair.reactor.callLater(.zero) { server.transport.abortConnection() }
                    throw Refusal(number: 6)
                }
            }
            #expect(pair.server.reason?.underlying as? Refusal == Refusal(number: 6))
            #expect(pair.client.reason == kind.lossByAbort)
        }

        @Test("T05d: an error after losing the connection is the reason", arguments: StreamKind.allCases)
        func afterLosing(on kind: StreamKind) throws {
            let pair = try withPair(on: kind, errors: 1) { pair in
                pair.client.whenMade = { $0.transport.write("hello") }
                pair.server.whenData = {
                    $0.transport.loseConnection()
                    throw Refusal(number: 4)
                }
            }
            #expect(pair.server.reason?.underlying as? Refusal == Refusal(number: 4))
        }

        @Test("T07: an error from connectionLost is only logged", arguments: StreamKind.allCases)
        func fromConnectionLost(on kind: StreamKind) throws {
            let log = RecordedLog()
            let pair = try withPair(on: kind, log: log, errors: 1) { pair in
                pair.server.whenMade = { $0.transport.loseConnection() }
                pair.server.whenLost = { _, _ in throw Refusal() }
            }
            #expect(pair.server.events == [.made, .lost(.done)])
            #expect(log.count(containing: "Recorder.connectionLost threw: Refusal(number: 0)") == 1)
        }

        @Test("T07: an error from a connection's timer is the reason", arguments: StreamKind.allCases)
        func fromATimer(on kind: StreamKind) throws {
            let log = RecordedLog()
            let pair = try withPair(on: kind, log: log, errors: 1) { pair in
                pair.server.whenMade = { $0.transport.callLater(.zero) { throw Refusal(number: 9) } }
            }
            #expect(pair.server.events == [.made, .lost(.failed)])
            #expect(pair.server.reason?.underlying as? Refusal == Refusal(number: 9))
            #expect(log.count(containing: "Recorder.a delayed call threw: Refusal(number: 9)") == 1)
        }

        @Test("T07: one connection that throws touches no other", arguments: StreamKind.allCases)
        func touchesNoOther(on kind: StreamKind) throws {
            let good = Recorder()
            try withReactor(on: kind, errors: 1) { reactor in
                let bad = try Pair(reactor, on: kind, stopsReactor: false)
                let other = try Pair(reactor, on: kind, client: good)
                other.server.whenData = { $0.transport.write("\($0.text), too") }
                good.whenMade = { $0.transport.write("here") }
                bad.server.whenMade = { _ in throw Refusal() }
                bad.client.whenLost = { _, _ in
                    reactor.when {
                        good.text == "here, too"
                    } then: {
                        good.transport.loseConnection()
                    }
                }
            }
            #expect(good.events == [.made, .data("here, too"), .lost(.done)])
        }
    }
}
