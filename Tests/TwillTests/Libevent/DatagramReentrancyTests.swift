import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

/// What a datagram protocol may do inside its callbacks: close the port, throw, write, open another port.
@Suite("Inside the callbacks of a UDP port", .nothingLivesOn)
struct DatagramReentrancyTests {
    private struct Refusal: Error {}

    /// The events in which something is done, and how each is brought about.
    enum Moment: CaseIterable, CustomTestStringConvertible {
        case data, flood, truncated, refused, failed

        var testDescription: String { "\(self)" }

        func isMoment(_ event: DatagramEvent) -> Bool {
            switch (self, event) {
            case (.data, .data), (.flood, .data), (.truncated, .truncated), (.refused, .refused), (.failed, .failed): true
            default: false
            }
        }

        /// Makes it happen, more than once.
        func provoke(_ port: DatagramTransport, _ raw: RawDatagramSocket) throws {
            switch self {
            case .data: for _ in 0..<3 { try raw.send("data", to: port.host) }
            case .flood: for _ in 0..<150 { try raw.send("data", to: port.host) }
            case .truncated: for _ in 0..<3 { try raw.send(String(repeating: ".", count: 101), to: port.host) }
            case .refused:
                try port.connect(to: try RawDatagramSocket.freeAddress())
                try port.write("is anybody there?")
            case .failed:
                // A broadcast without permission; what makes the system refuse is not of interest here.
                for _ in 0..<3 { try port.write("nobody", to: .ipv4(IPv4Address(bits: 0x7FFF_FFFF, port: 9))) }
            }
        }

        /// Those that can be brought about on this system.
        static var possible: [Moment] {
            #if os(Linux)
            allCases
            #else
            allCases.filter { $0 != .failed }
            #endif
        }
    }

    private func run(_ moment: Moment, log: RecordedLog = RecordedLog(), _ recorder: DatagramRecorder) throws -> DatagramTransport {
        let raw = try RawDatagramSocket()
        return try withReactor(log: log) { reactor in
            let port = try reactor.listenUDP(port: 0, protocol: recorder, interface: "127.0.0.1", maxPacketSize: 100)
            reactor.callLater(.zero) { try moment.provoke(port, raw) }
            return port
        }
    }

    @Test(arguments: Moment.possible)
    func aPortThatIsClosedDeliversNothingMore(moment: Moment) throws {
        let recorder = DatagramRecorder()
        recorder.whenTold = { recorder, event in
            guard moment.isMoment(event) else { return }
            let reactor = recorder.transport.reactor
            recorder.transport.stopListening()
            #expect(recorder.count(.stopped) == 0)
            try recorder.transport.write("dropped", to: DatagramWritingTests.ipv4)
            reactor.afterTurns(3) { reactor.stop() }
        }
        _ = try run(moment, recorder)
        #expect(recorder.events.count == 3, "\(recorder.events)")
        #expect(recorder.events.first == .started && moment.isMoment(recorder.events[1]) && recorder.events.last == .stopped)
    }

    @Test(arguments: Moment.possible)
    func aReactorThatIsStoppedEndsInOrder(moment: Moment) throws {
        let recorder = DatagramRecorder()
        recorder.whenTold = { if moment.isMoment($1) { $0.transport.reactor.stop() } }
        let port = try run(moment, recorder)
        #expect(recorder.events.last == .stopped && recorder.count(.stopped) == 1)
        #expect(!port.isListening)
    }

    @Test(arguments: Moment.possible)
    func anErrorIsLoggedAndThePortStaysOpen(moment: Moment) throws {
        let log = RecordedLog()
        let recorder = DatagramRecorder()
        var isLast = false
        recorder.whenTold = { recorder, event in
            if isLast { return recorder.transport.reactor.stop() }
            guard moment.isMoment(event) else { return }
            let wanted = moment == .flood ? 150 : moment == .refused ? 1 : 3
            let transport = recorder.transport
            if recorder.events.count(where: { moment.isMoment($0) }) == wanted {
                // Whatever was thrown, what comes next is delivered.
                isLast = true
                let raw = try RawDatagramSocket()
                if transport.peer == nil { try raw.send("next", to: transport.host) } else { transport.reactor.stop() }
            }
            throw Refusal()
        }
        let port = try run(moment, log: log, recorder)
        #expect(recorder.events.last == .stopped)
        #expect(port.statistics.truncated == (moment == .truncated ? 3 : 0))
        let lines = log.count(containing: "threw: Refusal()")
        // No more than ten a second, however many there are.
        #expect(moment == .flood ? lines >= 10 && lines < 100 : lines == (moment == .refused ? 1 : 3), "\(log.entries)")
    }

    @Test func whatASenderDidWrongIsNotLogged() throws {
        let log = RecordedLog()
        let recorder = DatagramRecorder()
        recorder.whenTold = { recorder, event in
            guard case .data = event else { return }
            if recorder.received.count == 3 { recorder.transport.reactor.stop() }
            throw Rejection(.other("nonsense"), offset: 0)
        }
        _ = try run(.data, log: log, recorder)
        #expect(recorder.received.count == 3)
        #expect(log.entries == [])
    }

    @Test func anErrorAtTheEndIsLogged() throws {
        let log = RecordedLog()
        let recorder = DatagramRecorder()
        recorder.whenTold = { recorder, event in
            if event == .data("data") { recorder.transport.stopListening() }
            if event == .stopped {
                let reactor = recorder.transport.reactor
                reactor.callLater(.zero) { reactor.stop() }
                throw Refusal()
            }
        }
        _ = try run(.data, log: log, recorder)
        #expect(!recorder.isInUse)
        #expect(log.entries == ["error: DatagramRecorder.stopProtocol threw: Refusal()"])
    }

    @Test(arguments: Moment.possible)
    func anotherPortIsOpenedAndThisOneIsWrittenFrom(moment: Moment) throws {
        let recorder = DatagramRecorder()
        let other = DatagramRecorder()
        let peer = try RawDatagramSocket()
        recorder.whenTold = { recorder, event in
            guard moment.isMoment(event), !other.isInUse, other.events.isEmpty else { return }
            let transport = recorder.transport
            let reactor = transport.reactor
            // It is a client of this one, unless this one has a peer already.
            let port = try reactor.listenUDP(port: 0, protocol: other, interface: "127.0.0.1", maxPacketSize: 50)
            try other.transport.write("hello", to: peer.address)
            if transport.peer == nil { try transport.write("from the first", to: port.host) } else { reactor.stop() }
        }
        other.whenReceived = { other, _, _ in other.transport.reactor.stop() }
        _ = try run(moment, recorder)
        #expect(try peer.receiveText() == "hello")
        #expect(other.texts == (moment == .refused ? [] : ["from the first"]))
        #expect(recorder.events.last == .stopped && other.events.last == .stopped)
    }

    @Test func aPortIsClosedAndOpenedAgainInTheMiddleOfAFlood() throws {
        let raw = try RawDatagramSocket()
        let recorders = (0..<5).map { _ in DatagramRecorder() }
        try withReactor { reactor in
            let host = try reactor.listenUDP(port: 0, protocol: recorders[0], interface: "127.0.0.1").host
            for (index, recorder) in recorders.enumerated() {
                recorder.whenReceived = { [unowned reactor] recorder, _, _ in
                    guard recorder.received.count == 20 else { return }
                    recorder.transport.stopListening()
                    guard index + 1 < recorders.count else { return reactor.stop() }
                    // At the same address; what waited there is lost with the old one.
                    try reactor.listenUDP(port: Int(host.port ?? 0), protocol: recorders[index + 1], interface: "127.0.0.1")
                    for _ in 0..<40 { try raw.send("again", to: host) }
                }
            }
            for _ in 0..<40 { try raw.send("first", to: host) }
        }
        for recorder in recorders {
            #expect(recorder.received.count == 20)
            #expect(recorder.events.last == .stopped && recorder.count(.stopped) == 1)
        }
    }
}
