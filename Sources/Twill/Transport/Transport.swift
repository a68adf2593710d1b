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
/// Twisted: `ITransport`, `ITCPTransport`.
open class Transport {
    /// Where a connection stands between being made and being lost.
    public enum State: UInt8, Sendable {
        /// Open both ways.
        case connected
        /// Asked to close: what was written is still being sent, nothing is delivered any more. Twisted: `disconnecting`.
        case disconnecting
        /// Closed, or never connected.
        case disconnected
    }

    final var currentState = State.disconnected

    /// Where the connection stands. Subclasses set it by ``setState(_:)``.
    public final var state: State { currentState }

    /// Makes a transport that is closed.
    public init() {}

    /// Moves the transport to another state; only for subclasses that carry bytes themselves.
    public final func setState(_ state: State) {
        currentState = state
    }

    /// Sends bytes, after all those written before.
    ///
    /// The bytes are taken before the call returns. They leave when the current callback of the reactor returns, or at once where
    /// they are many; what the system would not take waits in memory, up to ``TransportOptions/unsentBytesMax``.
    ///
    /// Twisted: `ITransport.write`.
    open func write(_ data: Span<UInt8>) {}

    /// Sends bytes that other connections may be sending too, without a copy for each.
    open func write(_ shared: SharedBytes) {
        write(shared.bytes)
    }

    /// Sends a frame of three pieces, any of which may be empty, as one write.
    ///
    /// What framers use, so that a line and its delimiter need no buffer of their own to be joined in.
    open func writeFrame(prefix: Span<UInt8>, body: Span<UInt8>, suffix: Span<UInt8>) {
        var frame: [UInt8] = []
        frame.reserveCapacity(prefix.count + body.count + suffix.count)
        frame.append(prefix)
        frame.append(body)
        frame.append(suffix)
        write(frame)
    }

    /// Closes the connection once everything written so far is sent.
    ///
    /// From this moment nothing more is delivered to the protocol and later writes are dropped. `connectionLost` follows on a later
    /// turn with ``ConnectionLost/done``, or another reason where the rest could not be sent. Twisted: `ITransport.loseConnection`.
    open func loseConnection() {}

    /// Closes the connection as ``loseConnection()`` does, and gives `connectionLost` a reason of one's own.
    ///
    /// Framers use it to say why they gave up on a peer. Where sending the rest fails, that failure is the reason instead.
    open func loseConnection(because reason: ConnectionLost) {
        loseConnection()
    }

    /// Closes the connection at once: unsent bytes are dropped and the peer sees a reset.
    ///
    /// `connectionLost` follows on a later turn with ``ConnectionLost/aborted``. Twisted: `ITCPTransport.abortConnection`.
    open func abortConnection() {}

    /// Stops delivering input until ``resumeProducing()``; the peer is slowed down by the network's own flow control.
    ///
    /// Twisted: `IPushProducer.pauseProducing`.
    open func pauseProducing() {}

    /// Delivers input again. Does nothing once the connection is closing. Twisted: `IPushProducer.resumeProducing`.
    open func resumeProducing() {}

    /// This side's address. Twisted: `getHost`.
    open var host: Address { .unknown }

    /// The other side's address. Twisted: `getPeer`.
    open var peer: Address { .unknown }

    /// How many bytes written so far wait in this process because the system would not take them yet.
    open var bufferedByteCount: Int { 0 }

    /// The reactor that serves this connection.
    ///
    /// - Precondition: the transport was handed to a protocol by a reactor; a bare `Transport()` has none.
    open var reactor: any Reactor {
        preconditionFailure("this transport belongs to no reactor: use it from connectionMade on")
    }
}
