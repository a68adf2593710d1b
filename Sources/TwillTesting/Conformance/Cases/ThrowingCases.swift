import Twill

/// Callbacks that throw.
enum ThrowingCases {
    static let all: [[ConformanceCase]] = [
        .of("T07: an error from dataReceived is logged once and is the reason", fromDataReceived),
        .of(
            "T08, T08b: an error from connectionMade closes the connection, on either side; the server", for: [false, true],
            fromConnectionMade),
        .of("T05d: an error after an abort is the reason, and is logged once", afterAnAbort),
        .of("T05d: an abort after an error leaves the error the reason", beforeAnAbort),
        .of("T05d: an error after losing the connection is the reason", afterLosing),
        .of("T07: an error from connectionLost is only logged", fromConnectionLost),
        .of("T07: an error from a connection's timer is the reason", fromATimer),
        .of("T07: one connection that throws touches no other", touchesNoOther),
    ]

    static func fromDataReceived(on stage: ConformanceStage) throws {
        let log = RecordedLog()
        let pair = try stage.withPair(log: log, errors: 1) { pair in
            pair.client.whenMade = { $0.transport.write("hello") }
            pair.server.whenData = {
                $0.transport.write("500 sorry")
                throw Refusal(number: 7)
            }
        }
        stage.expect(pair.server.events == [.made, .data("hello"), .lost(.failed)])
        stage.expect(pair.server.reason?.underlying as? Refusal == Refusal(number: 7))
        stage.expect(pair.client.events == [.made, .data("500 sorry"), .lost(.done)], "what was written before is sent")
        stage.expect(log.count(containing: "Recorder.dataReceived threw: Refusal(number: 7)") == 1)
    }

    static func fromConnectionMade(on stage: ConformanceStage, isServer: Bool) throws {
        let log = RecordedLog()
        let pair = try stage.withPair(log: log, errors: 1) { pair in
            let (thrower, other) = isServer ? (pair.server, pair.client) : (pair.client, pair.server)
            other.whenMade = { $0.transport.write("never delivered") }
            thrower.whenMade = { _ in throw Refusal(number: 8) }
        }
        let (thrower, other) = isServer ? (pair.server, pair.client) : (pair.client, pair.server)
        stage.expect(thrower.events == [.made, .lost(.failed)])
        stage.expect(thrower.reason?.underlying as? Refusal == Refusal(number: 8))
        stage.expect(other.events == [.made, .lost(.done)])
        stage.expect(log.count(containing: "Recorder.connectionMade threw: Refusal(number: 8)") == 1)
    }

    static func afterAnAbort(on stage: ConformanceStage) throws {
        let pair = try stage.withPair(errors: 1) { pair in
            pair.client.whenMade = { $0.transport.write("hello") }
            pair.server.whenData = {
                $0.transport.abortConnection()
                throw Refusal(number: 5)
            }
        }
        stage.expect(pair.server.reason == .failed)
        stage.expect(pair.server.reason?.underlying as? Refusal == Refusal(number: 5))
        stage.expect(pair.client.reason == stage.lossByAbort, "the abort still resets the peer")
    }

    static func beforeAnAbort(on stage: ConformanceStage) throws {
        let pair = try stage.withPair(errors: 1) { pair in
            pair.server.whenMade = { server in
                server.transport.write(tooMuch)
                pair.reactor.callLater(.zero) { server.transport.abortConnection() }
                throw Refusal(number: 6)
            }
        }
        stage.expect(pair.server.reason?.underlying as? Refusal == Refusal(number: 6))
        stage.expect(pair.client.reason == stage.lossByAbort)
    }

    static func afterLosing(on stage: ConformanceStage) throws {
        let pair = try stage.withPair(errors: 1) { pair in
            pair.client.whenMade = { $0.transport.write("hello") }
            pair.server.whenData = {
                $0.transport.loseConnection()
                throw Refusal(number: 4)
            }
        }
        stage.expect(pair.server.reason?.underlying as? Refusal == Refusal(number: 4))
    }

    static func fromConnectionLost(on stage: ConformanceStage) throws {
        let log = RecordedLog()
        let pair = try stage.withPair(log: log, errors: 1) { pair in
            pair.server.whenMade = { $0.transport.loseConnection() }
            pair.server.whenLost = { _, _ in throw Refusal() }
        }
        stage.expect(pair.server.events == [.made, .lost(.done)])
        stage.expect(log.count(containing: "Recorder.connectionLost threw: Refusal(number: 0)") == 1)
    }

    static func fromATimer(on stage: ConformanceStage) throws {
        let log = RecordedLog()
        let pair = try stage.withPair(log: log, errors: 1) { pair in
            pair.server.whenMade = { $0.transport.callLater(.zero) { throw Refusal(number: 9) } }
        }
        stage.expect(pair.server.events == [.made, .lost(.failed)])
        stage.expect(pair.server.reason?.underlying as? Refusal == Refusal(number: 9))
        stage.expect(log.count(containing: "Recorder.a delayed call threw: Refusal(number: 9)") == 1)
    }

    static func touchesNoOther(on stage: ConformanceStage) throws {
        let good = Recorder()
        try stage.withReactor(errors: 1) { reactor in
            let bad = try ConformancePair(reactor, on: stage, stopsReactor: false)
            let other = try ConformancePair(reactor, on: stage, client: good)
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
        stage.expect(good.events == [.made, .data("here, too"), .lost(.done)])
    }
}
