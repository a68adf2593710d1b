import Twill

/// Push producers.
enum PushProducerCases {
    static let all: [[ConformanceCase]] = [
        .of("P01: a push producer is paused above the high mark, once, and resumed at the low mark, once", pausedAboveTheHighMark),
        .of("P01: the default marks are 64 KiB and 16 KiB", theDefaultMarks),
        .of("P01: a producer that is registered when too much waits already is paused at once", registeredWhenTooMuchWaits),
        .of("P10: a producer that writes too much when it is resumed is paused again, and so on to its end", pausedAgainWhenResumed),
        .of("P01: marks that move tell the producer at once", marksThatMove),
        .of("P01: a second producer is refused, and the first is not touched", aSecondProducerIsRefused),
    ]

    /// Writes until the system takes no more of it.
    private static func fill(_ transport: Transport) {
        let block = [UInt8](repeating: 0x2E, count: 40_000)
        while transport.bufferedByteCount == 0, transport.state == .connected { transport.write(block) }
    }

    static func pausedAboveTheHighMark(on stage: ConformanceStage) throws {
        try stage.withPair { pair in
            pair.client.whenMade = { $0.transport.pauseProducing() }
            pair.server.whenMade = { server in
                let transport = server.transport
                let producer = CallRecordingProducer(transport)
                try transport.registerProducer(producer, streaming: true)
                stage.expect(producer.calls.isEmpty, "a push producer starts by itself")
                transport.waterMarks.high = 1 << 20
                fill(transport)
                let room = (1 << 20) - transport.bufferedByteCount
                transport.write([UInt8](repeating: 1, count: room))
                stage.expect(transport.bufferedByteCount == 1 << 20)
                stage.expect(producer.calls.isEmpty, "the mark itself is not above it")
                transport.write([1])
                stage.expect(producer.calls == [.pause])
                stage.expect(pair.reactor.statistics.connections.pausedProducers == 1)
                transport.write([1])
                transport.write([UInt8](repeating: 1, count: 100_000))
                stage.expect(producer.calls == [.pause])
                producer.whenResumed = { [unowned producer] _ in
                    stage.expect(transport.bufferedByteCount <= transport.waterMarks.low)
                    stage.expect(pair.reactor.statistics.connections.pausedProducers == 0)
                    pair.reactor.when {
                        transport.bufferedByteCount == 0
                    } then: {
                        pair.reactor.afterTurns(3) {
                            stage.expect(producer.calls == [.pause, .resume])
                            transport.unregisterProducer()
                            transport.loseConnection()
                        }
                    }
                }
                pair.reactor.afterTurns(3) {
                    stage.expect(producer.calls == [.pause])
                    pair.client.transport.resumeProducing()
                }
            }
        }
    }

    static func theDefaultMarks(on stage: ConformanceStage) throws {
        try stage.withPair { pair in
            pair.server.whenMade = { server in
                stage.expect(server.transport.waterMarks == WaterMarks(low: 16 << 10, high: 64 << 10, limit: 16 << 20))
                server.transport.loseConnection()
            }
        }
    }

    static func registeredWhenTooMuchWaits(on stage: ConformanceStage) throws {
        let pair = try stage.withPair { pair in
            pair.server.whenMade = { server in
                server.transport.write(tooMuch)
                let producer = CallRecordingProducer(server.transport)
                try server.transport.registerProducer(producer, streaming: true)
                stage.expect(producer.calls == [.pause])
                producer.whenResumed = {
                    $0.transport.write("resumed")
                    $0.transport.unregisterProducer()
                }
                server.transport.loseConnection()
            }
        }
        stage.expect(pair.client.received.count == tooMuch.count + 7)
    }

    static func pausedAgainWhenResumed(on stage: ConformanceStage) throws {
        var options = TransportOptions()
        options.sendBufferBytes = 100_000
        var calls: [CallRecordingProducer.Call] = []
        let block = Array(tooMuch.prefix(1 << 20))
        let pair = try stage.withPair(serverOptions: options) { pair in
            pair.server.whenMade = { server in
                var left = 6
                let producer = CallRecordingProducer(server.transport) { producer in
                    if left == 0 { return producer.transport.unregisterProducer() }
                    left -= 1
                    let before = producer.calls.count
                    producer.transport.write(block)
                    // The pause may come from inside the write.
                    stage.expect(producer.calls.dropFirst(before).allSatisfy { $0 == .pause })
                    calls = producer.calls
                }
                try server.transport.registerProducer(producer, streaming: true)
                server.transport.loseConnection()
                try producer.resumeProducing()
            }
        }
        stage.expect(pair.client.received.count == 6 << 20)
        stage.expect(pair.server.reason == .done)
        // The first call was the test's own.
        for (index, call) in calls.enumerated() { stage.expect(call == (index % 2 == 0 ? .resume : .pause), "\(calls)") }
        stage.expect(calls.count >= 4)
    }

    static func marksThatMove(on stage: ConformanceStage) throws {
        try stage.withPair { pair in
            pair.client.whenMade = { $0.transport.pauseProducing() }
            pair.server.whenMade = { server in
                let transport = server.transport
                let producer = CallRecordingProducer(transport)
                transport.waterMarks = WaterMarks(low: 8 << 20, high: 16 << 20)
                try transport.registerProducer(producer, streaming: true)
                fill(transport)
                stage.expect(producer.calls.isEmpty)
                transport.waterMarks = WaterMarks(low: 0, high: 0)
                stage.expect(producer.calls == [.pause])
                transport.waterMarks = WaterMarks(low: 8 << 20, high: 16 << 20)
                stage.expect(producer.calls == [.pause, .resume])
                transport.abortConnection()
                // An end behind unread input is told when that has been read.
                pair.reactor.when {
                    !pair.client.events.isEmpty
                } then: {
                    pair.client.transport.resumeProducing()
                }
            }
        }
    }

    static func aSecondProducerIsRefused(on stage: ConformanceStage) throws {
        let pair = try stage.withPair { pair in
            pair.server.whenMade = { server in
                let first = CallRecordingProducer(server.transport)
                let second = CallRecordingProducer(server.transport)
                try server.transport.registerProducer(first, streaming: true)
                for streaming in [true, false] {
                    stage.expect(throws: ProducerError.alreadyRegistered) {
                        try server.transport.registerProducer(second, streaming: streaming)
                    }
                }
                stage.expect(first.calls + second.calls == [])
                server.transport.write("fine")
                server.transport.unregisterProducer()
                try server.transport.registerProducer(second, streaming: true)
                server.transport.unregisterProducer()
                server.transport.loseConnection()
            }
        }
        stage.expect(pair.client.text == "fine")
    }
}
