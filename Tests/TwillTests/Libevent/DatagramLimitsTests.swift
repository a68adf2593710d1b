import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// What is too long, too much or too fast for a UDP port.
@Suite("Limits of UDP ports", .nothingLivesOn)
struct DatagramLimitsTests {
    @Test(arguments: [1, 100, 8192, 9000])
    func aDatagramLongerThanTheLimitIsReportedAsCutOff(limit: Int) throws {
        let log = RecordedLog()
        let raw = try RawDatagramSocket()
        let recorder = DatagramRecorder()
        let port = try withReactor(log: log) { reactor in
            let port = try reactor.listenUDP(port: 0, protocol: recorder, interface: "127.0.0.1", maxPacketSize: limit)
            for size in [limit, limit + 1, 20_000, limit - 1, limit] {
                try raw.send([UInt8](repeating: 0x2E, count: size), to: port.host)
            }
            recorder.whenTold = { [unowned reactor] recorder, _ in if recorder.events.count == 6 { reactor.stop() } }
            return port
        }
        let name = { (size: Int) in DatagramEvent.data(size <= 64 ? String(repeating: ".", count: size) : "\(size) bytes") }
        #expect(
            recorder.events == [.started, name(limit), .truncated(limit), .truncated(limit), name(limit - 1), name(limit), .stopped])
        #expect(recorder.senders.allSatisfy { $0 == raw.address })
        #expect(port.statistics.truncated == 2 && port.statistics.received == 3)
        #expect(port.statistics.bytesReceived == 3 * limit - 1)
        #expect(log.count(containing: "had more than \(limit) bytes, and its end is lost: raise maxPacketSize") == 1)
    }

    @Test(arguments: [(0, 1), (-5, 1), (100_000, 65507)])
    func aLimitOutOfRangeCountsAsTheNearest(asked: Int, delivered: Int) throws {
        let raw = try RawDatagramSocket()
        let recorder = DatagramRecorder()
        try withReactor { reactor in
            let port = try reactor.listenUDP(port: 0, protocol: recorder, interface: "127.0.0.1", maxPacketSize: asked)
            try raw.send([UInt8](repeating: 1, count: delivered), to: port.host)
            recorder.whenReceived = { [unowned reactor] _, _, _ in reactor.stop() }
        }
        #expect(recorder.received.map(\.count) == [delivered])
    }

    @Test(arguments: [(0, 1), (1, 1), (4, 4), (20, 20), (64, 64), (1000, 64)])
    func oneTurnTakesNoMoreThanItsShare(asked: Int, share: Int) throws {
        let raw = try RawDatagramSocket()
        let recorder = DatagramRecorder()
        var options = DatagramOptions()
        options.datagramsPerTurn = asked
        let count = 3 * share + 1
        var turn = 0
        var perTurn: [Int: Int] = [:]
        try withReactor { reactor in
            let port = try reactor.listenUDP(port: 0, protocol: recorder, interface: "127.0.0.1", options: options)
            for number in 0..<count { try raw.send("\(number)", to: port.host) }
            func nextTurn() {
                turn += 1
                if recorder.received.count < count { reactor.callLater(.zero) { nextTurn() } } else { reactor.stop() }
            }
            reactor.callLater(.zero) { nextTurn() }
            recorder.whenReceived = { _, _, _ in perTurn[turn, default: 0] += 1 }
        }
        #expect(recorder.texts == (0..<count).map { "\($0)" })
        #expect(perTurn.values.max() == share, "\(perTurn)")
        #expect(perTurn.count == 4)
    }

    @Test func aConnectionIsServedInTheMiddleOfAFlood() throws {
        let isOver = Shared(false)
        let hasEnded = Shared(false)
        let recorder = DatagramRecorder()
        // Slower than the flood, so that there is always more.
        recorder.whenReceived = { _, _, _ in
            let end = ContinuousClock.now + .microseconds(30)
            while ContinuousClock.now < end {}
        }
        var received = 0
        try withReactor { reactor in
            let port = try reactor.listenUDP(port: 0, protocol: recorder, interface: "127.0.0.1")
            let server = port.host
            let number = try reactor.listenTCP(
                port: 0,
                factory: Factory { () -> Recorder in
                    let echo = Recorder()
                    echo.whenData = { $0.transport.write("!") }
                    return echo
                }, interface: "127.0.0.1"
            ).number
            reactor.inBackground {
                let raw = try RawDatagramSocket()
                while !isOver.value { try? raw.send("flood", to: server) }
                hasEnded.value = true
            }
            reactor.when {
                recorder.received.count > 1000
            } then: {
                reactor.inBackground {
                    let client = try RawSocket(connectedTo: number)
                    for _ in 0..<50 {
                        try client.send("?")
                        try #require(try client.receiveText(1) == "!")
                    }
                } then: { [unowned reactor] in
                    received = recorder.received.count
                    isOver.value = true
                    reactor.when({ hasEnded.value }, then: { reactor.stop() })
                }
            }
        }
        #expect(received > 1000)
    }
}
