public import Twill

/// A protocol that keeps what it is told: the other end of whatever is tested.
///
/// ```swift
/// let client = AccumulatingProtocol()
/// try network.host("client").connectTCP(host: "server", port: 8007, factory: ClientFactory { client })
/// try network.run(for: .seconds(1))
/// #expect(client.text == "welcome\r\n")
/// ```
///
/// Subclass it to answer. Twisted: `AccumulatingProtocol` of `twisted.test.proto_helpers`.
open class AccumulatingProtocol: Protocol {
    /// Whether `connectionMade` was called. Twisted: `made`.
    public final private(set) var wasMade = false
    /// What has arrived, in one piece.
    public final private(set) var data: [UInt8] = []
    /// How many bytes came with each `dataReceived`.
    public final private(set) var pieces: [Int] = []
    /// What `connectionLost` was told; nil before. Twisted: `closedReason`.
    public final private(set) var reason: ConnectionLost?

    /// Whether `connectionLost` was called. Twisted: `closed`.
    public final var wasLost: Bool { reason != nil }

    /// What has arrived, as text; what is no UTF-8 is replaced.
    public final var text: String { String(decoding: data, as: UTF8.self) }

    /// Forgets what has arrived so far.
    public final func clear() {
        (data, pieces) = ([], [])
    }

    open override func connectionMade() throws {
        wasMade = true
    }

    open override func dataReceived(_ data: Span<UInt8>) throws {
        self.data.append(copying: data)
        pieces.append(data.count)
    }

    open override func connectionLost(_ reason: ConnectionLost) throws {
        self.reason = reason
    }
}
