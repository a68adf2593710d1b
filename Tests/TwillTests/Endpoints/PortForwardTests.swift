import Dispatch
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

/// A forwarder between two of the system's own sockets.
@Suite("PortForwardFactory", .nothingLivesOn)
struct PortForwardTests {
    /// Which of the two ends of a forwarded connection something is about.
    enum End: CaseIterable, Sendable {
        case client, target
    }

    /// Both ends of one forwarded connection, in the hands of the test.
    private struct Ends: Sendable {
        let client: RawSocket
        let target: RawSocket

        /// The one end, and then the other.
        func seen(from end: End) -> (near: RawSocket, far: RawSocket) {
            end == .client ? (client, target) : (target, client)
        }
    }

    /// What the test's thread may know of the reactor.
    private struct Observed: Sendable {
        var pausedProducers = 0
        var mostUnsentBytes = 0
    }

    /// A factory that remembers what it made, as long as it lives.
    private final class WatchingFactory: PortForwardFactory {
        private struct Side {
            weak var handler: Twill::Protocol?
            weak var transport: Transport?
        }

        private var sides: [Side] = []
        var made = 0

        /// How many protocols and transports of forwarded connections are there still.
        var left: Int { sides.count { $0.handler != nil } + sides.count { $0.transport != nil } }

        override func buildProtocol(_ address: Address) throws -> Twill::Protocol? {
            let handler = try super.buildProtocol(address)
            made += 1
            sides.append(Side(handler: handler))
            return handler
        }

        /// Remembers the transports too, and the other side, once they are there.
        func look() {
            for index in sides.indices {
                guard let side = sides[index].handler as? ForwardingSide, side.transport.state == .connected else { continue }
                if sides[index].transport == nil { sides[index].transport = side.transport }
                guard let other = side.other, !sides.contains(where: { $0.handler === other }) else { continue }
                sides.append(Side(handler: other, transport: other.transport))
            }
        }
    }

    /// A port that forwards to the target, and the loop around it.
    private func withForwarder(
        to target: Int, log: RecordedLog = RecordedLog(), timeout: Duration = .seconds(20), options: TransportOptions = TransportOptions(),
        _ setUp: (LibeventReactor, WatchingFactory, any ListeningPort) throws -> Void
    ) throws {
        try withReactor(deadline: .seconds(60), log: log) { reactor in
            let factory = WatchingFactory(host: "127.0.0.1", port: target, timeout: timeout, options: options)
            let port = try reactor.listenTCP(port: 0, factory: factory, interface: "127.0.0.1", options: options)
            try setUp(reactor, factory, port)
        }
    }

    /// Runs a conversation between the two ends of one forwarded connection, and sees that nothing is left of it.
    @discardableResult
    private func converse(
        log: RecordedLog = RecordedLog(), options: TransportOptions = TransportOptions(),
        _ conversation: @escaping @Sendable (Ends, Shared<Observed>) throws -> Void
    ) throws -> Observed {
        let observed = Shared(Observed())
        let (listener, number) = try RawSocket.listener(backlog: 16)
        try withForwarder(to: number, log: log, options: options) { reactor, factory, port in
            reactor.eachMillisecond { [unowned reactor] in
                factory.look()
                let statistics = reactor.statistics.connections
                observed.change {
                    $0.pausedProducers = statistics.pausedProducers
                    $0.mostUnsentBytes = max($0.mostUnsentBytes, statistics.unsentBytes)
                }
            }
            let number = port.number
            reactor.inBackground {
                let client = try RawSocket(connectedTo: number, receiveBufferBytes: 64 << 10)
                let target = try listener.accept()
                try conversation(Ends(client: client, target: target), observed)
                client.close()
                target.close()
            } then: {
                reactor.whenNothingIsOpen {
                    #expect(factory.made == 1)
                    #expect(factory.left == 0)
                    reactor.stop()
                }
            }
        }
        return observed.value
    }

    @Test func bytesGoBothWays() throws {
        let log = RecordedLog()
        try converse(log: log) { ends, _ in
            for end in End.allCases + End.allCases {
                let (near, far) = ends.seen(from: end)
                try near.send("from \(end)")
                try #require(try far.receiveText(11) == "from \(end)")
            }
        }
        #expect(complaints(in: log).isEmpty)
    }

    @Test(arguments: End.allCases)
    func theEndOfOneDirectionIsCarriedOverAndTheOtherGoesOn(end: End) throws {
        try converse { ends, _ in
            let (near, far) = ends.seen(from: end)
            try near.send("question")
            near.shutdownWriting()
            try #require(String(decoding: try far.receiveToEnd(), as: UTF8.self) == "question")
            for number in 0..<3 {
                try far.send("answer \(number)")
                try #require(try near.receiveText(8) == "answer \(number)")
            }
            far.shutdownWriting()
            try #require(try near.receiveToEnd() == [])
        }
    }

    @Test(arguments: End.allCases)
    func whatWasSentBeforeTheEndArrivesThoughItsReaderIsSlow(end: End) throws {
        // The far side's buffers are small, so that the near side is paused with much of it unread, its end behind that.
        var options = TransportOptions()
        options.sendBufferBytes = 16 << 10
        let bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 8) }
        try converse(options: options) { ends, observed in
            let (near, far) = ends.seen(from: end)
            try near.send(bytes)
            near.shutdownWriting()
            try waitUntil { observed.value.pausedProducers == 1 }
            // A few turns in which an end that overtakes would do so.
            pauseThread(.milliseconds(20))
            let isWhole = try far.receiveToEnd() == bytes
            try #require(isWhole)
            try far.send("thanks")
            try #require(try near.receiveText(6) == "thanks")
        }
    }

    @Test(arguments: End.allCases)
    func aSideThatClosesIsFlushedToTheOther(end: End) throws {
        let bytes = [UInt8](repeating: 7, count: 2 << 20)
        try converse { ends, _ in
            let (near, far) = ends.seen(from: end)
            try inParallel {
                try near.send(bytes)
                near.close()
            } and: {
                let isWhole = try far.receiveToEnd() == bytes
                try #require(isWhole)
            }
        }
    }

    @Test(arguments: End.allCases)
    func aResetIsCarriedOver(end: End) throws {
        try converse { ends, _ in
            let (near, far) = ends.seen(from: end)
            try near.send("half a mess")
            try #require(try far.receiveText(11) == "half a mess")
            near.reset()
            try #require(throws: CallFailure("recv", ECONNRESET)) { try far.receiveToEnd() }
        }
    }

    @Test(arguments: End.allCases)
    func aResetIsCarriedOverAfterTheOtherDirectionHasEnded(end: End) throws {
        try converse { ends, _ in
            let (near, far) = ends.seen(from: end)
            far.shutdownWriting()
            try #require(try near.receiveToEnd() == [])
            near.reset()
            try #require(throws: CallFailure("recv", ECONNRESET)) { try far.receiveToEnd() }
        }
    }

    @Test(arguments: End.allCases)
    func aSlowReaderHoldsTheFastSenderBack(end: End) throws {
        let size = 32 << 20
        let observed = try converse { ends, seen in
            let (near, far) = ends.seen(from: end)
            try inParallel {
                let piece = [UInt8](repeating: 1, count: 1 << 20)
                for _ in 0..<size / piece.count { try near.send(piece) }
                near.shutdownWriting()
            } and: {
                // Not before the sender is held back, however slowly everything else goes on a busy machine.
                let deadline = ContinuousClock.now + .seconds(15)
                while seen.value.pausedProducers == 0, ContinuousClock.now < deadline { pauseThread(.milliseconds(1)) }
                var received = 0
                while case let count = try far.receive(atMost: 1 << 20).count, count > 0 {
                    received += count
                    if received >> 22 > (received - count) >> 22 { pauseThread(.milliseconds(5)) }
                }
                try #require(received == size)
            }
        }
        // The read that crosses the mark is as large as the reactor's buffer.
        #expect(observed.mostUnsentBytes <= WaterMarks().high + LibeventReactor.readBufferBytes)
        #expect(observed.mostUnsentBytes > WaterMarks().high)
    }

    @Test func aTargetThatRefusesClosesTheConnectionAndIsLogged() throws {
        let (listener, target) = try RawSocket.listener(backlog: 1)
        listener.close()
        let log = RecordedLog()
        let address = Shared("")
        try withForwarder(to: target, log: log) { reactor, factory, port in
            let number = port.number
            reactor.inBackground {
                let client = try RawSocket(connectedTo: number)
                address.value = "\(Socket(descriptor: client.descriptor).localAddress)"
                try client.send("is anybody there?")
                // The end in good order, though nobody read what was sent.
                try #require(try client.receiveToEnd() == [])
            } then: {
                reactor.whenNothingIsOpen {
                    #expect(factory.left == 0)
                    reactor.stop()
                }
            }
        }
        let text = "Couldn't connect to 127.0.0.1:\(target): connection refused; is the server running?"
        #expect(complaints(in: log) == ["warning: Couldn't forward \(address.value): \(text)"])
    }

    #if os(Linux)
    @Test func nothingIsReadBeforeTheTargetIsConnectedAndWaitingHasALimit() throws {
        // A queue that is full makes the system drop what else comes; the target never answers.
        let (listener, target) = try RawSocket.listener(backlog: 0)
        let first = try RawSocket(connectedTo: target)
        let log = RecordedLog()
        try withForwarder(to: target, log: log, timeout: .milliseconds(300)) { reactor, _, port in
            let number = port.number
            reactor.inBackground {
                let client = try RawSocket(connectedTo: number)
                try client.send([UInt8](repeating: 1, count: 50_000))
                try #require(try client.receiveToEnd() == [])
            } then: {
                #expect(port.statistics.bytesReceived == 0)
                reactor.stop()
            }
        }
        withExtendedLifetime((listener, first)) {}
        #expect(log.count(containing: "no answer within the connect timeout") == 1)
    }

    @Test func aClientThatVanishesGivesTheAttemptUp() throws {
        let (listener, target) = try RawSocket.listener(backlog: 0)
        let first = try RawSocket(connectedTo: target)
        let log = RecordedLog()
        try withForwarder(to: target, log: log) { reactor, factory, port in
            let number = port.number
            let isDialling = Shared(false)
            reactor.eachMillisecond { [unowned reactor] in isDialling.value = !reactor.dialers.isEmpty }
            reactor.inBackground {
                let client = try RawSocket(connectedTo: number)
                try waitUntil { isDialling.value }
                client.reset()
                try waitUntil { !isDialling.value }
            } then: {
                reactor.whenNothingIsOpen {
                    #expect(factory.made == 1)
                    #expect(factory.left == 0)
                    reactor.stop()
                }
            }
        }
        withExtendedLifetime((listener, first)) {}
        #expect(complaints(in: log).isEmpty)
    }
    #endif

    @Test func whatTheClientSaidBeforeTheTargetWasThereArrives() throws {
        // The target is a name: looking it up takes the client's bytes and its end far longer than their own way.
        let (listener, number) = try RawSocket.listener(backlog: 16)
        try withReactor { reactor in
            let factory = PortForwardFactory(to: TCPClientEndpoint(TCPTarget(host: "localhost", port: number)))
            let port = try reactor.listenTCP(port: 0, factory: factory, interface: "127.0.0.1").number
            reactor.runClient {
                for text in ["hello", ""] {
                    let client = try RawSocket(connectedTo: port)
                    try client.send(text)
                    client.shutdownWriting()
                    let target = try listener.accept()
                    try #require(String(decoding: try target.receiveToEnd(), as: UTF8.self) == text)
                    try target.send("goodbye")
                    target.close()
                    try #require(String(decoding: try client.receiveToEnd(), as: UTF8.self) == "goodbye")
                }
            }
        }
    }

    @Test func aPeerMayBeRefused() throws {
        final class Closed: PortForwardFactory {
            override func buildProtocol(_ address: Address) -> Twill::Protocol? { nil }
        }
        try withReactor { reactor in
            let port = try reactor.listenTCP(port: 0, factory: Closed(host: "127.0.0.1", port: 1), interface: "127.0.0.1").number
            reactor.runClient { try #require(try RawSocket(connectedTo: port).receiveToEnd() == []) }
        }
    }

    @Test func aReactorThatStopsClosesBothEndsInGoodOrder() throws {
        let (listener, number) = try RawSocket.listener(backlog: 16)
        let ends = Shared<Ends?>(nil)
        try withForwarder(to: number) { reactor, _, port in
            let number = port.number
            reactor.runClient {
                let client = try RawSocket(connectedTo: number)
                let target = try listener.accept()
                try client.send("hello")
                try #require(try target.receiveText(5) == "hello")
                ends.value = Ends(client: client, target: target)
            }
        }
        let left = try #require(ends.value)
        #expect(try left.client.receiveToEnd() == [])
        #expect(try left.target.receiveToEnd() == [])
    }
}

extension LibeventReactor {
    /// Makes a call again and again, for as long as the reactor runs.
    fileprivate func eachMillisecond(_ call: @escaping () -> Void) {
        callLater(.milliseconds(1)) { [unowned self] in
            call()
            eachMillisecond(call)
        }
    }

    /// Makes a call when every connection has ended and is forgotten.
    fileprivate func whenNothingIsOpen(_ call: @escaping () -> Void) {
        if openCount == 0, dialers.isEmpty {
            afterTurns(3, call)
        } else {
            callLater(.milliseconds(1)) { [unowned self] in whenNothingIsOpen(call) }
        }
    }
}

/// What was logged, but for the reactor's own word on a machine too busy to serve in time.
private func complaints(in log: RecordedLog) -> [String] {
    log.entries.filter { !$0.contains("kept the reactor busy") }
}

/// Waits for another thread, at most as long as a raw socket does.
private func waitUntil(_ condition: () -> Bool) throws {
    for _ in 0..<20_000 {
        if condition() { return }
        pauseThread(.milliseconds(1))
    }
    throw CallFailure("waitUntil", ETIMEDOUT)
}

/// Does two blocking things at once, on two threads.
private func inParallel(_ one: @escaping @Sendable () throws -> Void, and other: () throws -> Void) throws {
    let failure = Shared<(any Error)?>(nil)
    let group = DispatchGroup()
    DispatchQueue(label: "twill.tests").async(group: group) {
        do { try one() } catch { failure.value = error }
    }
    try other()
    group.wait()
    if let error = failure.value { throw error }
}
