@testable import Twill
@testable import TwillTesting

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Our side of a conversation in random messages: sends its own and compares the peer's with those of the peer's seed, both at once. Each side
/// ends its stream behind its last message, so that both notice a byte too many.
///
/// It is the producer of what it sends, one that pushes or one that pulls.
final class RandomTalk: ReceiverOwner, Producer {
    private let count: Int
    private let pushes: Bool
    private let pool: [UInt8]
    private var own: RandomMessages
    private var peers: RandomMessages
    /// From the beginning of the connection to its end.
    private var receiver: (any SharedReceiver)?
    private var isPaused = false
    private var sentCount = 0

    private(set) var receivedCount = 0
    private(set) var receivedBytes = 0
    private(set) var sentBytes = 0
    /// How many of the peer's messages were here when the last of our own was sent.
    private(set) var receivedMeanwhile = 0
    private(set) var pauseCount = 0
    /// The most bytes that ever waited in the transport.
    private(set) var bufferedBytesMax = 0
    /// The first thing that was wrong.
    private(set) var complaint: String?
    /// How the connection ended; nil before.
    private(set) var reason: ConnectionLost?

    /// Whether the connection has begun and not ended.
    var isOpen: Bool { receiver != nil }

    init(_ framing: SharedFraming, count: Int, ownSeed: UInt64, peersSeed: UInt64, pushes: Bool) {
        self.count = count
        self.pushes = pushes
        pool = framing.pool
        own = RandomMessages(framing, seed: ownSeed)
        peers = RandomMessages(framing, seed: peersSeed)
    }

    func made(_ receiver: any SharedReceiver) throws {
        self.receiver = receiver
        try receiver.transport.registerProducer(self, streaming: pushes)
        if pushes { try resumeProducing() }
    }

    func resumeProducing() throws {
        isPaused = false
        repeat { try sendNext() } while pushes && !isPaused && sentCount < count
    }

    func pauseProducing() {
        isPaused = true
        pauseCount += 1
    }

    func stopProducing() { isPaused = true }

    private func sendNext() throws {
        guard let receiver, sentCount < count else { return }
        let message = own.next()
        let pool = pool
        let bytes = pool.span
        try receiver.send(bytes.extracting(message))
        sentCount += 1
        sentBytes += message.count
        bufferedBytesMax = max(bufferedBytesMax, receiver.transport.bufferedByteCount)
        guard sentCount == count else { return }
        receivedMeanwhile = receivedCount
        receiver.transport.unregisterProducer()
        receiver.transport.loseWriteConnection()
    }

    func received(_ message: Span<UInt8>) {
        guard receivedCount < count else { return complain("a message of \(message.count) bytes came behind the last") }
        let expected = peers.next()
        let pool = pool
        let bytes = pool.span
        guard areEqual(message, bytes.extracting(expected)) else {
            return complain("message \(receivedCount) has \(expected.count) bytes and came as \(message.count) others")
        }
        receivedCount += 1
        receivedBytes += message.count
    }

    func readLost(_ receiver: any SharedReceiver) {
        let unread = receiver.unreadBytes.count
        if receivedCount < count {
            complain("the stream ended after \(receivedCount) messages")
        } else if unread > 0 {
            complain("\(unread) bytes came behind the last message")
        }
    }

    func lost(_ reason: ConnectionLost) {
        if let receiver { readLost(receiver) }
        self.reason = reason
        receiver = nil
    }

    private func complain(_ sentence: String) {
        guard complaint == nil else { return }
        complaint = sentence
        receiver?.transport.abortConnection()
    }
}

/// Compares with the system's function: a loop over bytes takes seconds in a debug build.
private func areEqual(_ left: Span<UInt8>, _ right: Span<UInt8>) -> Bool {
    let count = left.count
    guard count == right.count else { return false }
    return unsafe left.withUnsafeBytes { left in
        unsafe right.withUnsafeBytes { right in
            guard let left = left.baseAddress, let right = right.baseAddress else { return true }
            return unsafe memcmp(left, right, count) == 0
        }
    }
}
