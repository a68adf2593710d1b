import Testing

@testable import Twill

extension Conformance {
    @Suite("Handing over")
    struct HandingOver {
        /// Joins a server's and a client's recorder, until both the client and the one who took the server's place were told of the loss.
        @discardableResult
        private func withPair(
            on kind: StreamKind, to next: Recorder, log: RecordedLog = RecordedLog(), errors: Int = 0, server: Recorder = Recorder(),
            serverOptions: TransportOptions = TransportOptions(), _ arrange: (Pair) throws -> Void
        ) throws -> Pair {
            let pair = try withReactor(on: kind, log: log, errors: errors) { reactor in
                let pair = try Pair(reactor, on: kind, server: server, serverOptions: serverOptions, stopsReactor: false)
                try arrange(pair)
                let client = pair.client
                reactor.when {
                    client.lossCount > 0 && next.lossCount > 0
                } then: {
                    reactor.afterTurns(3) { reactor.stop() }
                }
                return pair
            }
            pair.client.expectWholeLife()
            next.expectWholeLife()
            #expect(pair.server.lossCount == 0, "who has handed over hears nothing more")
            pair.server.letGo()
            return pair
        }

        @Test("from dataReceived, with the bytes that are the next one's", arguments: StreamKind.allCases)
        func fromDataReceived(on kind: StreamKind) throws {
            let next = Recorder()
            let pair = try withPair(on: kind, to: next) { pair in
                pair.client.whenMade = { $0.transport.write("hello, rest") }
                pair.client.whenData = { if $0.text == "now" { $0.transport.write("more") } }
                pair.server.whenData = { try $0.handOver(to: next, unread: Array($0.received.dropFirst(7))) }
                next.whenMade = { $0.transport.write("now") }
                next.whenData = { if $0.text == "restmore" { $0.transport.loseConnection() } }
            }
            #expect(pair.server.events == [.made, .data("hello, rest")])
            #expect(next.events == [.made, .data("rest"), .data("more"), .lost(.done)])
        }

        @Test("from connectionMade", arguments: StreamKind.allCases)
        func fromConnectionMade(on kind: StreamKind) throws {
            let next = Recorder()
            let pair = try withPair(on: kind, to: next) { pair in
                pair.client.whenMade = { $0.transport.write("hello") }
                pair.client.whenData = { $0.transport.loseConnection() }
                pair.server.whenMade = { try $0.handOver(to: next, unread: []) }
                next.whenData = { $0.transport.write("and you") }
            }
            #expect(pair.server.events == [.made])
            #expect(pair.client.text == "and you")
            #expect(next.events == [.made, .data("hello"), .lost(.done)])
        }

        @Test("from a timer, where an error is the reason as well", arguments: StreamKind.allCases)
        func fromATimer(on kind: StreamKind) throws {
            let (next, log) = (Recorder(), RecordedLog())
            try withPair(on: kind, to: next, log: log, errors: 1) { pair in
                pair.server.whenMade = { server in
                    server.transport.callLater(.zero) { try server.handOver(to: next, unread: Array("rest".utf8)) }
                }
                next.whenData = { _ in throw Refusal(number: 3) }
            }
            #expect(next.events == [.made, .data("rest"), .lost(.failed)])
            #expect(next.reason?.underlying as? Refusal == Refusal(number: 3))
        }

        @Test("an error of the next one's callbacks is the reason, and is logged once", arguments: StreamKind.allCases, [0, 1, 2])
        func errors(on kind: StreamKind, inCall call: Int) throws {
            let (next, log) = (Named(), RecordedLog())
            try withPair(on: kind, to: next, log: log, errors: 1) { pair in
                pair.client.whenMade = { $0.transport.write("hello") }
                pair.client.whenData = { if $0.text == "now" { $0.transport.write("more") } }
                pair.server.whenData = { try $0.handOver(to: next, unread: Array("rest".utf8)) }
                next.whenMade = {
                    if call == 0 { throw Refusal(number: 0) }
                    $0.transport.write("now")
                }
                next.whenData = { if call == $0.pieces.count { throw Refusal(number: call) } }
            }
            #expect(next.events.count == 2 + call)
            #expect(next.reason == .failed)
            #expect(next.reason?.underlying as? Refusal == Refusal(number: call))
            #expect(log.count(containing: "the next one.dataReceived threw: Refusal(number: \(call))") == 1)
        }

        /// A recorder that log lines know from others.
        private final class Named: Recorder {
            override var logPrefix: String { "the next one" }
        }

        @Test("a rejection of the next one's is the reason, and is not logged", arguments: StreamKind.allCases)
        func rejection(on kind: StreamKind) throws {
            let next = Recorder()
            let rejection = Rejection(.other("no"), offset: 1)
            try withPair(on: kind, to: next) { pair in
                pair.client.whenMade = { $0.transport.write("hello") }
                pair.server.whenData = { try $0.handOver(to: next, unread: []) }
                next.whenMade = { _ in throw rejection }
            }
            #expect(next.events == [.made, .lost(.badInput)])
            #expect(next.reason?.underlying as? Rejection == rejection)
        }

        @Test("the old one's timeout is taken back, the next one's is its own", arguments: StreamKind.allCases)
        func timeout(on kind: StreamKind) throws {
            let next = Recorder()
            try withPair(on: kind, to: next) { pair in
                pair.server.whenMade = {
                    $0.setTimeout(.milliseconds(1))
                    next.setTimeout(.milliseconds(2))
                    try $0.handOver(to: next, unread: [])
                    #expect($0.setTimeout(nil) == nil)
                }
            }
            #expect(next.events == [.made, .lost(.timedOut)])
        }

        @Test("the old one is let go while the connection goes on", arguments: StreamKind.allCases)
        func oldOneIsLetGo(on kind: StreamKind) throws {
            let next = Recorder()
            weak var old: Recorder?
            try withReactor(on: kind) { reactor in
                // The pair keeps its server, and so this one is a second in the row.
                let pair = try Pair(reactor, on: kind, stopsReactor: false)
                pair.client.whenMade = { $0.transport.write("hello") }
                pair.server.whenMade = { server in
                    let middle = Recorder()
                    old = middle
                    middle.whenData = { try $0.handOver(to: next, unread: Array($0.received)) }
                    try server.handOver(to: middle, unread: [])
                    server.letGo()
                }
                next.whenData = { next in
                    #expect(old != nil, "its callback is still running")
                    reactor.afterTurns(3) {
                        #expect(old == nil)
                        next.transport.loseConnection()
                    }
                }
                let client = pair.client
                reactor.when {
                    client.lossCount > 0 && next.lossCount > 0
                } then: {
                    reactor.stop()
                }
            }
            #expect(next.events == [.made, .data("hello"), .lost(.done)])
        }

        @Test("the next one is asked whether it goes on with half a connection", arguments: StreamKind.allCases, [false, true])
        func halfClosing(on kind: StreamKind, nextIsHalfCloseable: Bool) throws {
            let next = nextIsHalfCloseable ? HalfCloseableRecorder() : Recorder()
            let server = nextIsHalfCloseable ? Recorder() : HalfCloseableRecorder()
            try withPair(on: kind, to: next, server: server) { pair in
                pair.client.whenMade = {
                    $0.transport.write("hello")
                    $0.transport.loseWriteConnection()
                }
                pair.server.whenData = { try $0.handOver(to: next, unread: []) }
                (next as? HalfCloseableRecorder)?.whenReadLost = { $0.transport.loseConnection() }
            }
            #expect(next.events == (nextIsHalfCloseable ? [.made, .readLost, .lost(.done)] : [.made, .lost(.done)]))
        }

        @Test("a registered producer stays, and is told of the end", arguments: StreamKind.withoutHeader)
        func producer(on kind: StreamKind) throws {
            let next = Recorder()
            var producer: CallRecordingProducer?
            try withPair(on: kind, to: next) { pair in
                pair.server.whenMade = {
                    let made = CallRecordingProducer($0.transport)
                    producer = made
                    try $0.transport.registerProducer(made, streaming: true)
                    try $0.handOver(to: next, unread: [])
                }
                pair.client.whenMade = { $0.transport.abortConnection() }
            }
            #expect(producer?.calls == [.stop])
        }

        @Test("handing over in connectionLost does nothing", arguments: StreamKind.allCases)
        func afterTheLoss(on kind: StreamKind) throws {
            let next = Recorder()
            let pair = try Conformance.withPair(on: kind) { pair in
                pair.server.whenMade = { $0.transport.loseConnection() }
                pair.server.whenLost = { server, _ in try server.handOver(to: next, unread: Array("rest".utf8)) }
            }
            #expect(pair.server.lossCount == 1)
            #expect(next.events == [])
        }

        @Test("a client hands over as a server does", arguments: StreamKind.allCases)
        func client(on kind: StreamKind) throws {
            let next = Recorder()
            try withReactor(on: kind) { reactor in
                let pair = try Pair(reactor, on: kind, stopsReactor: false)
                pair.server.whenMade = { $0.transport.write("hello") }
                pair.client.whenData = { try $0.handOver(to: next, unread: Array($0.received.suffix(2))) }
                next.whenData = { $0.transport.loseConnection() }
                let server = pair.server
                reactor.when {
                    server.lossCount > 0 && next.lossCount > 0
                } then: {
                    pair.client.letGo()
                    reactor.stop()
                }
            }
            #expect(next.events == [.made, .data("lo"), .lost(.done)])
        }
    }
}
