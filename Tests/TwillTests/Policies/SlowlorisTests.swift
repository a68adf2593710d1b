import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

// L1 of the catalogue, in a shorter time: clients that send a byte now and then and never end a line.
@Suite(.nothingLivesOn) struct SlowlorisTests {
    private static let deadline = Duration.seconds(3)
    private static let connectionCount = 500

    /// Notes when its first byte came, and when and why it was lost.
    private final class Victim: LineReceiver {
        private var firstByte: ReactorClock.Instant?
        private let whenLost: (Duration?, ConnectionLost) -> Void

        init(whenLost: @escaping (Duration?, ConnectionLost) -> Void) {
            self.whenLost = whenLost
            super.init()
        }

        override func dataReceived(_ data: Span<UInt8>) throws {
            if firstByte == nil { firstByte = transport.reactor.now }
            try super.dataReceived(data)
        }

        override func connectionLost(_ reason: ConnectionLost) {
            whenLost(firstByte?.duration(to: transport.reactor.now), reason)
        }
    }

    /// Sends a byte each half a second on every connection that is open, until none is.
    private static func trickle(to port: Int) throws {
        var clients = try (0..<connectionCount).map { _ in try RawSocket(connectedTo: port) }
        for _ in 0..<40 {
            clients.removeAll { $0.isClosedByPeer }
            guard !clients.isEmpty else { return }
            // One that is being closed just now may refuse the byte.
            for client in clients { try? client.send(".") }
            pauseThread(.milliseconds(500))
        }
    }

    @Test func eachIsClosedAtItsDeadlineAndCostsNextToNothing() async {
        // In a process of its own: its thousand descriptors would push those of other tests beyond what select can watch.
        await #expect(processExitsWith: .success) {
            do {
                try Self.serveTheSlow()
            } catch {
                Issue.record(error)
            }
        }
    }

    private static func serveTheSlow() throws {
        DescriptorLimit.raise()
        var lifetimes: [Duration] = []
        var reasons: [DeadlineError?] = []
        let log = RecordedLog()
        let clock = ContinuousClock()
        let start = clock.now
        let processorTime = threadProcessorTime()
        try withReactor(deadline: .seconds(60), log: log) { reactor in
            let victims = Factory {
                Victim { lifetime, reason in
                    if let lifetime { lifetimes.append(lifetime) }
                    reasons.append(reason.deadline)
                }
            }
            let factory = DeadlineFactory(wrapping: victims, firstByte: .seconds(20), message: Self.deadline)
            let port = try reactor.listenTCP(port: 0, factory: factory, interface: "127.0.0.1").number
            reactor.runClient { try Self.trickle(to: port) }
        }
        #expect(reasons == Array(repeating: .message(Self.deadline), count: Self.connectionCount))
        #expect(lifetimes.count == Self.connectionCount)
        // None before its time, and none much later, as slow as the machine may be.
        #expect(lifetimes.allSatisfy { $0 >= Self.deadline && $0 < Self.deadline + .seconds(10) })
        // The reactor's thread has used less than a fifth of a core.
        #expect((threadProcessorTime() - processorTime) * 5 < clock.now - start)
        #expect(log.entries.isEmpty)
    }
}
