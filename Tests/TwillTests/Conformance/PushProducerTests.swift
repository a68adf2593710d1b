import Testing

@testable import Twill

extension Conformance {
    @Suite("Push producers")
    struct PushProducers {
        /// Writes until the system takes no more of it.
        private func fill(_ transport: Transport) {
            let block = [UInt8](repeating: 0x2E, count: 40_000)
            while transport.bufferedByteCount == 0, transport.state == .connected { transport.write(block) }
        }

        @Test("P01: a push producer is paused above the high mark, once, and resumed at the low mark, once", arguments: StreamKind.allCases)
        func pausedAboveTheHighMark(on kind: StreamKind) throws {
            try withPair(on: kind) { pair in
                pair.client.whenMade = { $0.transport.pauseProducing() }
                pair.server.whenMade = { server in
                    let transport = server.transport
                    let producer = CallRecordingProducer(transport)
                    try transport.registerProducer(producer, streaming: true)
                    #expect(producer.calls.isEmpty, "a push producer starts by itself")
                    transport.waterMarks.high = 1 << 20
                    fill(transport)
                    let room = (1 << 20) - transport.bufferedByteCount
                    transport.write([UInt8](repeating: 1, count: room))
                    #expect(transport.bufferedByteCount == 1 << 20)
                    #expect(producer.calls.isEmpty, "the mark itself is not above it")
                    transport.write([1])
                    #expect(producer.calls == [.pause])
                    #expect(pair.reactor.statistics.connections.pausedProducers == 1)
                    transport.write([1])
                    transport.write([UInt8](repeating: 1, count: 100_000))
                    #expect(producer.calls == [.pause])
                    producer.whenResumed = { [unowned producer] _ in
                        #expect(transport.bufferedByteCount <= transport.waterMarks.low)
                        #expect(pair.reactor.statistics.connections.pausedProducers == 0)
                        pair.reactor.when {
                            transport.bufferedByteCount == 0
                        } then: {
                            pair.reactor.afterTurns(3) {
                                #expect(producer.calls == [.pause, .resume])
                                transport.unregisterProducer()
                                transport.loseConnection()
                            }
                        }
                    }
                    pair.reactor.afterTurns(3) {
                        #expect(producer.calls == [.pause])
                        pair.client.transport.resumeProducing()
                    }
                }
            }
        }

        @Test("P01: the default marks are 64 KiB and 16 KiB", arguments: StreamKind.allCases)
        func theDefaultMarks(on kind: StreamKind) throws {
            try withPair(on: kind) { pair in
                pair.server.whenMade = { server in
                    #expect(server.transport.waterMarks == WaterMarks(low: 16 << 10, high: 64 << 10, limit: 16 << 20))
                    server.transport.loseConnection()
                }
            }
        }

        @Test("P01: a producer that is registered when too much waits already is paused at once", arguments: StreamKind.allCases)
        func registeredWhenTooMuchWaits(on kind: StreamKind) throws {
            let pair = try withPair(on: kind) { pair in
                pair.server.whenMade = { server in
                    server.transport.write(tooMuch)
                    let producer = CallRecordingProducer(server.transport)
                    try server.transport.registerProducer(producer, streaming: true)
                    #expect(producer.calls == [.pause])
                    producer.whenResumed = {
                        $0.transport.write("resumed")
                        $0.transport.unregisterProducer()
                    }
                    server.transport.loseConnection()
                }
            }
            #expect(pair.client.received.count == tooMuch.count + 7)
        }

        @Test(
            "P10: a producer that writes too much when it is resumed is paused again, and so on to its end", arguments: StreamKind.allCases)
        func pausedAgainWhenResumed(on kind: StreamKind) throws {
            var options = TransportOptions()
            options.sendBufferBytes = 100_000
            var calls: [CallRecordingProducer.Call] = []
            let block = Array(tooMuch.prefix(1 << 20))
            let pair = try withPair(on: kind, serverOptions: options) { pair in
                pair.server.whenMade = { server in
                    var left = 6
                    let producer = CallRecordingProducer(server.transport) { producer in
                        if left == 0 { return producer.transport.unregisterProducer() }
                        left -= 1
                        let before = producer.calls.count
                        producer.transport.write(block)
                        // The pause may come from inside the write.
                        #expect(producer.calls.dropFirst(before).allSatisfy { $0 == .pause })
                        calls = producer.calls
                    }
                    try server.transport.registerProducer(producer, streaming: true)
                    server.transport.loseConnection()
                    try producer.resumeProducing()
                }
            }
            #expect(pair.client.received.count == 6 << 20)
            #expect(pair.server.reason == .done)
            // The first call was the test's own.
            for (index, call) in calls.enumerated() { #expect(call == (index % 2 == 0 ? .resume : .pause), "\(calls)") }
            #expect(calls.count >= 4)
        }

        @Test("P01: marks that move tell the producer at once", arguments: StreamKind.allCases)
        func marksThatMove(on kind: StreamKind) throws {
            try withPair(on: kind) { pair in
                pair.client.whenMade = { $0.transport.pauseProducing() }
                pair.server.whenMade = { server in
                    let transport = server.transport
                    let producer = CallRecordingProducer(transport)
                    transport.waterMarks = WaterMarks(low: 8 << 20, high: 16 << 20)
                    try transport.registerProducer(producer, streaming: true)
                    fill(transport)
                    #expect(producer.calls.isEmpty)
                    transport.waterMarks = WaterMarks(low: 0, high: 0)
                    #expect(producer.calls == [.pause])
                    transport.waterMarks = WaterMarks(low: 8 << 20, high: 16 << 20)
                    #expect(producer.calls == [.pause, .resume])
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

        @Test("P01: a second producer is refused, and the first is not touched", arguments: StreamKind.allCases)
        func aSecondProducerIsRefused(on kind: StreamKind) throws {
            let pair = try withPair(on: kind) { pair in
                pair.server.whenMade = { server in
                    let first = CallRecordingProducer(server.transport)
                    let second = CallRecordingProducer(server.transport)
                    try server.transport.registerProducer(first, streaming: true)
                    for streaming in [true, false] {
                        #expect(throws: ProducerError.alreadyRegistered) {
                            try server.transport.registerProducer(second, streaming: streaming)
                        }
                    }
                    #expect(first.calls + second.calls == [])
                    server.transport.write("fine")
                    server.transport.unregisterProducer()
                    try server.transport.registerProducer(second, streaming: true)
                    server.transport.unregisterProducer()
                    server.transport.loseConnection()
                }
            }
            #expect(pair.client.text == "fine")
        }
    }
}
