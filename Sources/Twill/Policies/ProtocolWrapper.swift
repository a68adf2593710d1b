/// A protocol around another one: the policy of one connection. It hands on every event; a subclass does something on the way.
///
/// ```swift
/// /// Counts the bytes that arrive on all connections of a factory.
/// final class CountingFactory: WrappingFactory {
///     var bytesReceived = 0
///     override func wrap(_ handler: Protocol) -> ProtocolWrapper { Counted(wrapping: handler) }
/// }
///
/// final class Counted: ProtocolWrapper {
///     override func dataReceived(_ data: Span<UInt8>) throws {
///         (factory as? CountingFactory)?.bytesReceived += data.count
///         try super.dataReceived(data)
///     }
/// }
/// ```
///
/// # Contract
/// - The protocol inside gets the same transport, unless `connectionMade` gives it a ``TransportWrapper`` over it. That is for policies that
///   must know what is written, or hold the protocol back.
/// - For log lines, half-closing, unfinished messages and whether it is busy it answers as the one inside does. The two calls of a
///   ``HalfCloseableProtocol`` go there directly.
/// - Neither holds the other in a circle: both are let go after `connectionLost`, if you add no circle of your own.
///
/// Twisted: `ProtocolWrapper`, which is the transport of the one inside as well.
open class ProtocolWrapper: Protocol {
    /// The protocol inside; another one after it has handed the connection over.
    public private(set) final var wrapped: Protocol

    /// Puts a policy around a protocol.
    public init(wrapping wrapped: Protocol) {
        self.wrapped = wrapped
        super.init()
    }

    /// Takes another protocol inside, before the connection is made; for wrappers that learn only then which.
    package final func become(_ next: Protocol) {
        wrapped = next
    }

    open override var logPrefix: String { wrapped.logPrefix }

    open override var halfCloseable: (any HalfCloseableProtocol)? { wrapped.halfCloseable }

    open override var descriptorReceiver: (any DescriptorReceiver)? { wrapped.descriptorReceiver }

    open override var unfinishedByteCount: Int { wrapped.unfinishedByteCount }

    open override var isBusy: Bool { wrapped.isBusy }

    package override func replace(_ previous: Protocol, by next: Protocol) {
        if wrapped === previous { wrapped = next } else { wrapped.replace(previous, by: next) }
    }

    open override func connectionMade() throws {
        try wrapped.makeConnection(transport)
    }

    open override func dataReceived(_ data: Span<UInt8>) throws {
        try wrapped.dataReceived(data)
    }

    open override func drainRequested(deadline: ReactorClock.Instant) throws {
        try wrapped.drainRequested(deadline: deadline)
    }

    open override func connectionLost(_ reason: ConnectionLost) throws {
        try wrapped.connectionLost(reason)
    }
}
