import Twill

/// Handing a connection over to another protocol.
enum HandingOverCases {
    static let all: [[ConformanceCase]] = [
        .of("handing over: from dataReceived, with the bytes that are the next one's", fromDataReceived),
        .of("handing over: from connectionMade", fromConnectionMade),
        .of("handing over: from a timer, where an error is the reason as well", fromATimer),
        .of("handing over: an error of the next one's callbacks is the reason, and is logged once; call", for: [0, 1, 2], errors),
        .of("handing over: a rejection of the next one's is the reason, and is not logged", rejection),
        .of("handing over: the old one's timeout is taken back, the next one's is its own", timeout),
        .of("handing over: the old one is let go while the connection goes on", oldOneIsLetGo),
        .of(
            "handing over: the next one is asked whether it goes on with half a connection; half-closeable", for: [false, true], halfClosing
        ),
        .of("handing over: a registered producer stays, and is told of the end", .firstByte, producer),
        .of("handing over: handing over in connectionLost does nothing", afterTheLoss),
        .of("handing over: a client hands over as a server does", client),
    ]

    /// Joins a server's and a client's recorder, until both the client and the one who took the server's place were told of the loss.
    @discardableResult
    private static func withPair(
        on stage: ConformanceStage, to next: Recorder, log: RecordedLog = RecordedLog(), errors: Int = 0, server: Recorder = Recorder(),
        serverOptions: TransportOptions = TransportOptions(), _ arrange: (ConformancePair) throws -> Void
    ) throws -> ConformancePair {
        let pair = try stage.withReactor(log: log, errors: errors) { reactor in
            let pair = try ConformancePair(reactor, on: stage, server: server, serverOptions: serverOptions, stopsReactor: false)
            try arrange(pair)
            let client = pair.client
            reactor.when {
                client.lossCount > 0 && next.lossCount > 0
            } then: {
                reactor.afterTurns(3) { reactor.stop() }
            }
            return pair
        }
        stage.tell("client", pair.client)
        stage.tell("the next one", next)
        stage.expectWholeLife(pair.client)
        stage.expectWholeLife(next)
        stage.expect(pair.server.lossCount == 0, "who has handed over hears nothing more")
        pair.server.letGo()
        return pair
    }

    static func fromDataReceived(on stage: ConformanceStage) throws {
        let next = Recorder()
        let pair = try withPair(on: stage, to: next) { pair in
            pair.client.whenMade = { $0.transport.write("hello, rest") }
            pair.client.whenData = { if $0.text == "now" { $0.transport.write("more") } }
            pair.server.whenData = { try $0.handOver(to: next, unread: Array($0.received.dropFirst(7))) }
            next.whenMade = { $0.transport.write("now") }
            next.whenData = { if $0.text == "restmore" { $0.transport.loseConnection() } }
        }
        stage.expect(pair.server.events == [.made, .data("hello, rest")])
        stage.expect(next.events == [.made, .data("rest"), .data("more"), .lost(.done)])
    }

    static func fromConnectionMade(on stage: ConformanceStage) throws {
        let next = Recorder()
        let pair = try withPair(on: stage, to: next) { pair in
            pair.client.whenMade = { $0.transport.write("hello") }
            pair.client.whenData = { $0.transport.loseConnection() }
            pair.server.whenMade = { try $0.handOver(to: next, unread: []) }
            next.whenData = { $0.transport.write("and you") }
        }
        stage.expect(pair.server.events == [.made])
        stage.expect(pair.client.text == "and you")
        stage.expect(next.events == [.made, .data("hello"), .lost(.done)])
    }

    static func fromATimer(on stage: ConformanceStage) throws {
        let (next, log) = (Recorder(), RecordedLog())
        try withPair(on: stage, to: next, log: log, errors: 1) { pair in
            pair.server.whenMade = { server in
                server.transport.callLater(.zero) { try server.handOver(to: next, unread: Array("rest".utf8)) }
            }
            next.whenData = { _ in throw Refusal(number: 3) }
        }
        stage.expect(next.events == [.made, .data("rest"), .lost(.failed)])
        stage.expect(next.reason?.underlying as? Refusal == Refusal(number: 3))
    }

    static func errors(on stage: ConformanceStage, inCall call: Int) throws {
        let (next, log) = (Named(), RecordedLog())
        try withPair(on: stage, to: next, log: log, errors: 1) { pair in
            pair.client.whenMade = { $0.transport.write("hello") }
            pair.client.whenData = { if $0.text == "now" { $0.transport.write("more") } }
            pair.server.whenData = { try $0.handOver(to: next, unread: Array("rest".utf8)) }
            next.whenMade = {
                if call == 0 { throw Refusal(number: 0) }
                $0.transport.write("now")
            }
            next.whenData = { if call == $0.pieces.count { throw Refusal(number: call) } }
        }
        stage.expect(next.events.count == 2 + call)
        stage.expect(next.reason == .failed)
        stage.expect(next.reason?.underlying as? Refusal == Refusal(number: call))
        stage.expect(log.count(containing: "the next one.dataReceived threw: Refusal(number: \(call))") == 1)
    }

    /// A recorder that log lines know from others.
    private final class Named: Recorder {
        override var logPrefix: String { "the next one" }
    }

    static func rejection(on stage: ConformanceStage) throws {
        let next = Recorder()
        let rejection = Rejection(.other("no"), offset: 1)
        try withPair(on: stage, to: next) { pair in
            pair.client.whenMade = { $0.transport.write("hello") }
            pair.server.whenData = { try $0.handOver(to: next, unread: []) }
            next.whenMade = { _ in throw rejection }
        }
        stage.expect(next.events == [.made, .lost(.badInput)])
        stage.expect(next.reason?.underlying as? Rejection == rejection)
    }

    static func timeout(on stage: ConformanceStage) throws {
        let next = Recorder()
        try withPair(on: stage, to: next) { pair in
            pair.server.whenMade = {
                $0.setTimeout(.milliseconds(1))
                next.setTimeout(.milliseconds(2))
                try $0.handOver(to: next, unread: [])
                stage.expect($0.setTimeout(nil) == nil)
            }
        }
        stage.expect(next.events == [.made, .lost(.timedOut)])
    }

    static func oldOneIsLetGo(on stage: ConformanceStage) throws {
        let next = Recorder()
        weak var old: Recorder?
        try stage.withReactor { reactor in
            // The pair keeps its server, and so this one is a second in the row.
            let pair = try ConformancePair(reactor, on: stage, stopsReactor: false)
            pair.client.whenMade = { $0.transport.write("hello") }
            pair.server.whenMade = { server in
                let middle = Recorder()
                old = middle
                middle.whenData = { try $0.handOver(to: next, unread: Array($0.received)) }
                try server.handOver(to: middle, unread: [])
                server.letGo()
            }
            next.whenData = { next in
                stage.expect(old != nil, "its callback is still running")
                reactor.afterTurns(3) {
                    stage.expect(old == nil)
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
        stage.expect(next.events == [.made, .data("hello"), .lost(.done)])
    }

    static func halfClosing(on stage: ConformanceStage, nextIsHalfCloseable: Bool) throws {
        let next = nextIsHalfCloseable ? HalfCloseableRecorder() : Recorder()
        let server = nextIsHalfCloseable ? Recorder() : HalfCloseableRecorder()
        try withPair(on: stage, to: next, server: server) { pair in
            pair.client.whenMade = {
                $0.transport.write("hello")
                $0.transport.loseWriteConnection()
            }
            pair.server.whenData = { try $0.handOver(to: next, unread: []) }
            (next as? HalfCloseableRecorder)?.whenReadLost = { $0.transport.loseConnection() }
        }
        stage.expect(next.events == (nextIsHalfCloseable ? [.made, .readLost, .lost(.done)] : [.made, .lost(.done)]))
    }

    static func producer(on stage: ConformanceStage) throws {
        let next = Recorder()
        var producer: CallRecordingProducer?
        try withPair(on: stage, to: next) { pair in
            pair.server.whenMade = {
                let made = CallRecordingProducer($0.transport)
                producer = made
                try $0.transport.registerProducer(made, streaming: true)
                try $0.handOver(to: next, unread: [])
            }
            pair.client.whenMade = { $0.transport.abortConnection() }
        }
        stage.expect(producer?.calls == [.stop])
    }

    static func afterTheLoss(on stage: ConformanceStage) throws {
        let next = Recorder()
        let pair = try stage.withPair { pair in
            pair.server.whenMade = { $0.transport.loseConnection() }
            pair.server.whenLost = { server, _ in try server.handOver(to: next, unread: Array("rest".utf8)) }
        }
        stage.expect(pair.server.lossCount == 1)
        stage.expect(next.events == [])
    }

    static func client(on stage: ConformanceStage) throws {
        let next = Recorder()
        try stage.withReactor { reactor in
            let pair = try ConformancePair(reactor, on: stage, stopsReactor: false)
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
        stage.expect(next.events == [.made, .data("lo"), .lost(.done)])
    }
}
