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

/// What becomes of datagrams that the system has no room for.
///
/// On the loopback network a UDP socket's buffer never fills, because what is sent is the receiver's at once. So the port gets one end of a pair
/// of UNIX datagram sockets, whose other end is full until somebody reads.
@Suite("A full send buffer", .nothingLivesOn)
struct DatagramBackpressureTests {
    /// A port on one end of a pair, the other end, and the protocol of the port.
    private func makePair(_ reactor: LibeventReactor) throws -> (DatagramTransport, RawSocket, DatagramRecorder) {
        var ends: [CInt] = [-1, -1]
        #if canImport(Darwin)
        let kind = SOCK_DGRAM
        #else
        let kind = CInt(SOCK_DGRAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue)
        #endif
        guard unsafe socketpair(AF_UNIX, kind, 0, &ends) == 0 else { throw CallFailure("socketpair") }
        _ = fcntl(ends[0], F_SETFL, O_NONBLOCK)
        let recorder = DatagramRecorder()
        let port = try reactor.serve(
            UDPSocket(descriptor: ends[0], family: .ipv4), at: .unknown, peer: .unknown, UDPBinding(port: 0), recorder)
        let other = RawSocket(descriptor: ends[1])
        other.setPatience(.seconds(20))
        return (port, other, recorder)
    }

    @Test func whatDoesNotFitIsDroppedCountedAndToldOnce() throws {
        let log = RecordedLog()
        try withReactor(log: log) { reactor in
            let (port, other, recorder) = try makePair(reactor)
            reactor.callLater(.zero) {
                for number in 0..<10_000 { try port.write("\(number)") }
                #expect(recorder.events == [.started], "nothing is told from inside a write")
                #expect(port.statistics.dropped > 0, "once it is full, a write is dropped at once")
            }
            // Two threads that read at once would share what is there.
            let isRead = Shared(false)
            // It is not told again for what is written meanwhile, on later turns.
            recorder.whenTold = { [unowned recorder] _, event in
                guard event == .filled else { return }
                for _ in 0..<100 { try port.write("dropped") }
                reactor.afterTurns(3) {
                    try port.write("dropped, too")
                    let sent = port.statistics.sent
                    #expect(sent > 0 && sent + port.statistics.dropped == 10_101)
                    #expect(recorder.events == [.started, .filled])
                    // Those that fitted are there, in their order, from the first.
                    reactor.inBackground {
                        for number in 0..<sent { try #require(try other.receive() == Array("\(number)".utf8)) }
                    } then: {
                        isRead.value = true
                    }
                }
            }
            reactor.when {
                recorder.events.contains(.drained) && isRead.value
            } then: {
                #expect(recorder.events == [.started, .filled, .drained])
                let before = port.statistics
                try port.write("room again")
                reactor.inBackground {
                    // Whatever was read before, this one comes next, and nothing that was dropped.
                    var text = ""
                    while text != "room again" {
                        text = String(decoding: try other.receive(), as: UTF8.self)
                        try #require(!text.hasPrefix("dropped"))
                    }
                } then: {
                    #expect(port.statistics.sent == before.sent + 1)
                    #expect(port.statistics.dropped == before.dropped)
                    #expect(port.statistics.failed == 0)
                    #expect(recorder.events == [.started, .filled, .drained])
                    reactor.stop()
                }
            }
        }
        #expect(log.count(containing: "is full, and datagrams are dropped") == 1)
    }

    @Test func eachStormIsToldAnew() throws {
        try withReactor { reactor in
            let (port, other, recorder) = try makePair(reactor)
            _ = fcntl(other.descriptor, F_SETFL, O_NONBLOCK)
            func fill() throws { for number in 0..<1_000 { try port.write("\(number)") } }
            recorder.whenTold = { [unowned recorder, unowned reactor] _, event in
                if event == .filled {
                    // All is read at once: there is room again.
                    while let bytes = try? other.receive(), !bytes.isEmpty {}
                } else if event == .drained {
                    if recorder.count(.drained) == 3 { reactor.stop() } else { try fill() }
                }
            }
            reactor.callLater(.zero) { try fill() }
            reactor.callWhenRunning { [unowned recorder] in
                reactor.addSystemEventTrigger(.during, .shutdown) {
                    #expect(recorder.events == [.started, .filled, .drained, .filled, .drained, .filled, .drained])
                }
            }
        }
    }

    @Test func aFullPortCanBeClosed() throws {
        try withReactor { reactor in
            let (port, other, recorder) = try makePair(reactor)
            reactor.callLater(.zero) {
                for number in 0..<1_000 { try port.write("\(number)") }
                port.stopListening()
                reactor.afterTurns(3) {
                    #expect(recorder.events == [.started, .stopped])
                    withExtendedLifetime(other) { reactor.stop() }
                }
            }
        }
    }

    @Test func anErrorWhileFilledIsLoggedAndThePortGoesOn() throws {
        struct Refusal: Error {}
        let log = RecordedLog()
        try withReactor(log: log) { reactor in
            let (port, other, recorder) = try makePair(reactor)
            reactor.callLater(.zero) { for number in 0..<1_000 { try port.write("\(number)") } }
            recorder.whenTold = { [unowned reactor] _, event in
                switch event {
                case .filled:
                    _ = fcntl(other.descriptor, F_SETFL, O_NONBLOCK)
                    while let bytes = try? other.receive(), !bytes.isEmpty {}
                    throw Refusal()
                case .drained:
                    reactor.afterTurns(2) {
                        #expect(port.isListening)
                        reactor.stop()
                    }
                    throw Refusal()
                default: break
                }
            }
        }
        #expect(log.count(containing: "DatagramRecorder.sendBufferFilled threw: Refusal()") == 1)
        #expect(log.count(containing: "DatagramRecorder.sendBufferDrained threw: Refusal()") == 1)
    }
}
