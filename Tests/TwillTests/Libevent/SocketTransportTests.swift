import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

@Suite("Writing to a connection", .nothingLivesOn)
struct SocketTransportTests {
    /// Serves one connection with `serve` and returns what a raw client reads until the end, once `go` lets it.
    private func output(
        options: TransportOptions = TransportOptions(), clientWaitsFor go: Shared<Bool>? = nil, _ serve: @escaping (Recorder) throws -> Void
    ) throws -> [UInt8] {
        let received = Shared<[UInt8]>([])
        try withReactor(deadline: .seconds(60)) { reactor in
            let server = Recorder()
            server.whenMade = serve
            let port = try reactor.listenTCP(port: 0, factory: OneConnectionFactory(server), interface: "127.0.0.1", options: options)
                .number
            reactor.runClient {
                let client = try RawSocket(connectedTo: port)
                while let go, !go.value { pauseThread(.milliseconds(1)) }
                received.value = try client.receiveToEnd()
            }
        }
        return received.value
    }

    /// Writes in every way there is; returns what should arrive.
    private func writeInEveryWay(_ transport: Transport) -> [UInt8] {
        let large = [UInt8]((0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 7) })
        let fixed: StaticString = "static "
        let span: [UInt8] = Array("span ".utf8)
        transport.write(span.span)
        transport.write(Array("array ".utf8))
        transport.write("text é ")
        transport.write(fixed)
        transport.write((UInt8(ascii: "a")...UInt8(ascii: "f")).lazy.map { $0 })
        transport.write(SharedBytes("shared "))
        transport.write(SharedBytes(large))
        transport.write(large)
        transport.writeSequence([Array("one ".utf8), [], Array("two ".utf8)])
        transport.write("")
        transport.write([UInt8]())
        transport.write(SharedBytes([UInt8]()))
        transport.write("end")
        return Array("span array text é static abcdefshared ".utf8) + large + large + Array("one two end".utf8)
    }

    @Test func everyWayToWriteKeepsTheOrder() throws {
        let expected = Shared<[UInt8]>([])
        let received = try output { server in
            expected.value = writeInEveryWay(server.transport)
            server.transport.loseConnection()
        }
        #expect(received == expected.value)
        #expect(received.count > 200_000)
    }

    @Test func everyWayToWriteKeepsTheOrderWhenTheSocketIsFull() throws {
        let go = Shared(false)
        let expected = Shared<[UInt8]>([])
        let received = try output(clientWaitsFor: go) { server in
            let filler = [UInt8](repeating: 0x2E, count: 8 << 20)
            server.transport.write(filler)
            #expect(server.transport.bufferedByteCount > 0)
            expected.value = filler + writeInEveryWay(server.transport)
            server.transport.loseConnection()
            go.value = true
        }
        // Comparing first, because printing megabytes that differ helps nobody.
        let isEqual = received == expected.value
        #expect(isEqual)
        #expect(received.count == expected.value.count)
    }

    @Test func oneCallbackMayWriteToManyConnectionsInTurn() throws {
        let count = 5
        let texts = Shared<[String]>([])
        try withReactor { reactor in
            var members: [Recorder] = []
            let factory = Factory { () -> Recorder in
                let member = Recorder()
                member.whenMade = { member in
                    members.append(member)
                    guard members.count == count else { return }
                    for round in 0..<3 {
                        for (number, member) in members.enumerated() { member.transport.write("\(number)\(round) ") }
                    }
                    for member in members { member.transport.loseConnection() }
                    members = []
                }
                return member
            }
            let port = try reactor.listenTCP(port: 0, factory: factory, interface: "127.0.0.1").number
            reactor.runClient {
                let clients = try (0..<count).map { _ in try RawSocket(connectedTo: port) }
                texts.value = try clients.map { String(decoding: try $0.receiveToEnd(), as: UTF8.self) }
            }
        }
        #expect(texts.value.sorted() == (0..<count).map { "\($0)0 \($0)1 \($0)2 " })
    }

    @Test func oneSharedMessageGoesToManyConnectionsWhole() throws {
        let message = SharedBytes((0..<300_000).map { UInt8(truncatingIfNeeded: $0) })
        try withReactor { reactor in
            let factory = Factory { () -> Recorder in
                let member = Recorder()
                member.whenMade = {
                    for _ in 0..<20 { $0.transport.write(message) }
                    $0.transport.loseConnection()
                }
                return member
            }
            let port = try reactor.listenTCP(port: 0, factory: factory, interface: "127.0.0.1").number
            reactor.runClient {
                for client in try (0..<5).map({ _ in try RawSocket(connectedTo: port) }) {
                    let bytes = try client.receiveToEnd()
                    let isEqual = bytes == (0..<20).reduce(into: []) { all, _ in all += message.bytes }
                    try #require(isEqual)
                }
            }
        }
    }

    @Test func asManyUnsentBytesAsTheLimitAllowsAreSent() throws {
        let received = try output {
            $0.transport.write([UInt8](repeating: 1, count: 16 << 20))
            $0.transport.loseConnection()
        }
        #expect(received.count == 16 << 20)
    }

    @Test func aSocketThatTakesEverythingLeavesNothingWaiting() throws {
        let counts = Shared<[Int]>([])
        _ = try output { server in
            server.transport.write("small")
            counts.value.append(server.transport.bufferedByteCount)
            server.transport.write([UInt8](repeating: 1, count: 40_000))
            counts.value.append(server.transport.bufferedByteCount)
            server.transport.loseConnection()
        }
        #expect(counts.value == [0, 0])
    }
}
