import Testing

@testable import Twill

@Suite("Protocols that throw", .nothingLivesOn)
struct SocketTransportFailureTests {
    private struct Refusal: Error, Equatable {
        var number = 0
    }

    private func run(_ arrange: (Pair) -> Void, log: RecordedLog = RecordedLog()) throws -> Pair {
        try withReactor(log: log) { reactor in
            let pair = try Pair(reactor)
            arrange(pair)
            return pair
        }
    }

    @Test func anErrorFromDataReceivedIsTheReasonAndIsLogged() throws {
        let log = RecordedLog()
        let pair = try run(
            { pair in
                pair.client.whenMade = { $0.transport.write("hello") }
                pair.server.whenData = { _ in throw Refusal(number: 1) }
            }, log: log)
        #expect(pair.server.events == [.made, .data("hello"), .lost(.failed)])
        #expect(pair.server.reason?.underlying as? Refusal == Refusal(number: 1))
        #expect(pair.client.events == [.made, .lost(.done)])
        #expect(log.count(containing: "Recorder.dataReceived threw: Refusal(number: 1)") == 1)
        #expect(log.entries.count == 1)
    }

    @Test func whatWasWrittenBeforeTheErrorIsSent() throws {
        let pair = try run { pair in
            pair.client.whenMade = { $0.transport.write("hello") }
            pair.server.whenData = {
                $0.transport.write("500 sorry")
                throw Refusal()
            }
        }
        #expect(pair.client.events == [.made, .data("500 sorry"), .lost(.done)])
    }

    @Test func anErrorFromConnectionMadeClosesTheServersConnection() throws {
        let log = RecordedLog()
        let pair = try run(
            { pair in
                pair.client.whenMade = { $0.transport.write("never delivered") }
                pair.server.whenMade = { _ in throw Refusal(number: 2) }
            }, log: log)
        #expect(pair.server.events == [.made, .lost(.failed)])
        #expect(pair.server.reason?.underlying as? Refusal == Refusal(number: 2))
        #expect(pair.client.events == [.made, .lost(.done)])
        #expect(log.count(containing: "connectionMade threw") == 1)
    }

    @Test func anErrorFromConnectionLostIsOnlyLogged() throws {
        let log = RecordedLog()
        let pair = try run(
            { pair in
                pair.server.whenMade = { $0.transport.loseConnection() }
                pair.server.whenLost = { _, _ in throw Refusal() }
            }, log: log)
        #expect(pair.server.events == [.made, .lost(.done)])
        #expect(log.count(containing: "connectionLost threw: Refusal(number: 0)") == 1)
    }

    @Test func anErrorAfterAnAbortIsTheReason() throws {
        let log = RecordedLog()
        let pair = try run(
            { pair in
                pair.client.whenMade = { $0.transport.write("hello") }
                pair.server.whenData = {
                    $0.transport.abortConnection()
                    throw Refusal(number: 3)
                }
            }, log: log)
        #expect(pair.server.reason == .failed)
        #expect(pair.server.reason?.underlying as? Refusal == Refusal(number: 3))
        #expect(pair.client.reason == .lost, "the abort still resets the peer")
        #expect(log.entries.count == 1)
    }

    @Test func anErrorAfterLosingTheConnectionIsTheReason() throws {
        let pair = try run { pair in
            pair.client.whenMade = { $0.transport.write("hello") }
            pair.server.whenData = {
                $0.transport.loseConnection()
                throw Refusal(number: 4)
            }
        }
        #expect(pair.server.reason?.underlying as? Refusal == Refusal(number: 4))
        #expect(pair.server.lossCount == 1)
    }

    @Test func aProtocolThatThrowsTouchesNoOtherConnection() throws {
        try withReactor { reactor in
            let factory = Factory { () -> Recorder in
                let server = Recorder()
                server.whenData = { server in
                    if server.text == "throw" { throw Refusal() }
                    server.transport.write("fine")
                }
                return server
            }
            let port = try reactor.listenTCP(port: 0, factory: factory, interface: "127.0.0.1").number
            reactor.runClient {
                let good = try RawSocket(connectedTo: port)
                let bad = try RawSocket(connectedTo: port)
                try good.send("a")
                try #require(good.receiveText(4) == "fine")
                try bad.send("throw")
                try #require(bad.receiveToEnd() == [])
                try good.send("b")
                try #require(good.receiveText(4) == "fine")
            }
        }
    }
}
