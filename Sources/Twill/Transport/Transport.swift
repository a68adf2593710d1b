/// One connection as a protocol sees it: where to write, and how to close.
///
/// A transport is handed to ``Protocol/makeConnection(_:)`` and is the protocol's `transport` from `connectionMade` on.
///
/// ```swift
/// final class Greeter: Protocol {
///     override func connectionMade() {
///         transport.write("hello, \(transport.peer)\r\n")
///         transport.loseConnection()
///     }
/// }
/// ```
///
/// # Contract
/// - Everything happens on the reactor's thread, and no method blocks or throws.
/// - Bytes arrive in the order in which they were written. What one callback writes leaves in one system call where it fits.
/// - After ``loseConnection()`` or ``abortConnection()``, and after `connectionLost`, writes are dropped in silence, and closing
///   again does nothing.
/// - `connectionLost` comes on a later turn of the reactor, never from inside one of these calls.
/// - Not guaranteed: that the peer received what was written. Only an answer of the peer can tell that.
///
/// A `Transport` made by itself is a closed one: it drops what is written to it. Subclass it to bring a transport of your own.
///
/// A transport is a producer itself: registered with another transport it is paused and resumed at the speed of the other one's peer,
/// which is how a proxy holds bounded memory.
///
/// Twisted: `ITransport`, `ITCPTransport`, `IConsumer`.
open class Transport: Producer {
    /// Where a connection stands between being made and being lost.
    public enum State: UInt8, Sendable {
        /// Open, in both directions or in one of them.
        case connected
        /// Asked to close: what was written is still being sent, nothing is delivered any more. Twisted: `disconnecting`.
        case disconnecting
        /// Closed, or never connected.
        case disconnected
    }

    #if DEBUG
    private let liveCount = LiveCount(.transports)
    #endif
    final var currentState = State.disconnected
    /// Whether the peer answers the end of the output, as layers with an end of their own do: the socket then always waits for that, as long as it
    /// lingers.
    package final var expectsLastWord = false
    /// The transport that a policy has put over this one.
    final weak var layer: Transport?
    /// What ``callLater(_:_:)`` has set.
    private final var ownCalls: [DelayedCall] = []

    /// Where the connection stands. Subclasses set it by ``setState(_:)``.
    public final var state: State { currentState }

    /// Makes a transport that is closed.
    public init() {}

    /// Moves the transport to another state; only for subclasses that carry bytes themselves.
    public final func setState(_ state: State) {
        currentState = state
        layer?.setState(state)
    }

    /// Sends bytes, after all those written before.
    ///
    /// The bytes are taken before the call returns. They leave when the current callback of the reactor returns, or at once where
    /// they are many; what the system would not take waits in memory, up to ``WaterMarks/limit``.
    ///
    /// Twisted: `ITransport.write`.
    open func write(_ data: Span<UInt8>) {}

    /// Sends bytes that other connections may be sending too, without a copy for each.
    open func write(_ shared: SharedBytes) {
        write(shared.bytes)
    }

    /// Sends bytes, and descriptors with the first of them, over a UNIX socket, after all that was written before.
    ///
    /// What is sent are copies: yours stay open, and are yours to close whenever you like. More than 64 descriptors that wait count as output that
    /// is above the high-water mark. The peer gets them where it is a ``DescriptorReceiver``, or a program that receives messages with `SCM_RIGHTS`.
    ///
    /// - Throws: ``DescriptorPassingError``; nothing was sent then.
    ///
    /// Twisted: `IUNIXTransport.sendFileDescriptor`, where the bytes are written separately and the descriptor must stay open until it was sent.
    open func write(_ data: Span<UInt8>, passing descriptors: [CInt]) throws {
        throw DescriptorPassingError.notUNIX
    }

    /// Sends a frame's payload with what goes before and behind it, as one write. Any of them may be empty.
    ///
    /// What receivers use, so that a line and its delimiter need no buffer of their own to be joined in.
    open func writeFrame(prefix: FrameEdge, body: Span<UInt8>, suffix: FrameEdge) {
        var frame: [UInt8] = []
        frame.reserveCapacity(prefix.count + body.count + suffix.count)
        frame += prefix.bytes
        frame.append(copying: body)
        frame += suffix.bytes
        write(frame)
    }

    /// Closes the connection once everything written so far is sent.
    ///
    /// From this moment nothing more is delivered to the protocol and later writes are dropped, but for those of a registered producer,
    /// which is waited for. `connectionLost` follows on a later turn with ``ConnectionLost/done``, or another reason where the rest
    /// could not be sent: ``ConnectionLost/timedOut`` where nothing at all could be sent for ``TransportOptions/stallTimeout``.
    ///
    /// Twisted: `ITransport.loseConnection`, which sends what is written after it, too.
    open func loseConnection() {}

    /// Closes the connection as ``loseConnection()`` does, and gives `connectionLost` a reason of one's own.
    ///
    /// Framers use it to say why they gave up on a peer. Where sending the rest fails, that failure is the reason instead.
    open func loseConnection(because reason: ConnectionLost) {
        loseConnection()
    }

    /// Says that nothing more will be written, once everything written so far is sent; input is delivered as before.
    ///
    /// Later writes are dropped, but for those of a registered producer, which is waited for. When the last byte has left, a
    /// ``HalfCloseableProtocol`` hears `writeConnectionLost`. Where the peer has closed its half already, this closes the connection.
    ///
    /// Twisted: `ITCPTransport.loseWriteConnection`.
    open func loseWriteConnection() {}

    /// Closes the connection at once: unsent bytes are dropped and the peer sees a reset; on a UNIX socket or a pipe, which have none, an end.
    ///
    /// `connectionLost` follows on a later turn with ``ConnectionLost/aborted``. Twisted: `ITCPTransport.abortConnection`.
    open func abortConnection() {}

    /// Closes the connection as ``abortConnection()`` does, and gives `connectionLost` a reason of one's own.
    ///
    /// Policies use it to say what the peer has overrun.
    open func abortConnection(because reason: ConnectionLost) {
        abortConnection()
    }

    /// Stops delivering input until ``resumeProducing()``; the peer is slowed down by the network's own flow control.
    ///
    /// The loss of the peer is noticed all the same, at once or within a second. Where it had sent something before it closed in good
    /// order, that comes first, and so waits for `resumeProducing`. Twisted: `IPushProducer.pauseProducing`.
    open func pauseProducing() {}

    /// Delivers input again. Does nothing once the connection is closing. Twisted: `IPushProducer.resumeProducing`.
    open func resumeProducing() {}

    /// Closes the connection, as ``loseConnection()`` does: what a transport does that is another one's producer when that one has ended.
    open func stopProducing() {
        loseConnection()
    }

    /// Whether input may still be delivered, which a transport that is another one's producer would pass on.
    public final var hasMore: Bool { state == .connected }

    /// Registers who will write more than fits into memory at once; see ``Producer``.
    ///
    /// A pull producer is called before this returns. Where the connection is closing already the producer is only told to stop.
    ///
    /// - Parameters:
    ///   - producer: who will write.
    ///   - streaming: true for a push producer, false for a pull producer.
    /// - Throws: ``ProducerError/alreadyRegistered``.
    ///
    /// Twisted: `IConsumer.registerProducer`.
    open func registerProducer(_ producer: any Producer, streaming: Bool) throws {
        try producer.stopProducing()
    }

    /// Lets the producer go; it is not called again. What it wrote is sent. Does nothing where there is none.
    ///
    /// Twisted: `IConsumer.unregisterProducer`.
    open func unregisterProducer() {}

    /// When producers are paused and resumed, and how many unsent bytes may wait; those of the ``TransportOptions`` until set.
    open var waterMarks: WaterMarks {
        get { WaterMarks() }
        set { _ = newValue }
    }

    /// Makes a call later, unless the connection has ended by then.
    ///
    /// The call belongs to the connection: an error that it throws is logged and closes the connection, with the error in the reason; and
    /// the connection's end takes it back. Twisted has no such thing: there `callLater` outlives the connection.
    @discardableResult
    open func callLater(_ delay: Duration, _ call: @escaping () throws -> Void) -> DelayedCall {
        let delayed = reactor.callLater(delay) { [weak self] in
            guard let self, state != .disconnected else { return }
            do {
                try call()
            } catch {
                callbackThrew(error, in: "a delayed call")
            }
        }
        ownCalls.removeAll { !$0.isActive }
        ownCalls.append(delayed)
        return delayed
    }

    /// Takes back what ``callLater(_:_:)`` has set; a transport calls it when its connection has ended.
    public final func cancelOwnCalls() {
        for call in ownCalls {
            call.cancelIfActive()
        }
        ownCalls = []
    }

    /// Lets the next events go to another protocol; what ``Protocol/handOver(to:unread:)`` asks of its transport.
    open func replaceProtocol(_ previous: Protocol, by next: Protocol) {}

    /// Called with an error that a callback threw: logs it, and closes the connection with the error in the reason.
    open func callbackThrew(_ error: any Error, in callback: String) {
        loseConnection(because: .thrown(error))
    }

    /// This side's address. Twisted: `getHost`.
    open var host: Address { .unknown }

    /// The other side's address. Twisted: `getPeer`.
    open var peer: Address { .unknown }

    /// Who is at the other end of a UNIX socket, as the system vouches for it; nil for any other connection.
    open var peerCredentials: PeerCredentials? { nil }

    /// How many bytes written so far wait in this process because the system would not take them yet.
    open var bufferedByteCount: Int { 0 }

    /// The reactor that serves this connection.
    ///
    /// - Precondition: the transport was handed to a protocol by a reactor; a bare `Transport()` has none.
    open var reactor: any Reactor {
        preconditionFailure("this transport belongs to no reactor: use it from connectionMade on")
    }
}
