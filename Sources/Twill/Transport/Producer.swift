/// Who writes more to a connection than fits into memory at once: a file, another connection, a generator.
///
/// A producer is registered with ``Transport/registerProducer(_:streaming:)`` and writes to the transport when it is told to.
///
/// - A *push* producer (`streaming: true`) writes whenever it has something, from the moment on which it is registered. The transport
///   pauses it while too many bytes wait to be sent, and resumes it when most of them have left.
/// - A *pull* producer (`streaming: false`) writes one piece each time ``resumeProducing()`` is called, and is never paused.
///
/// ```swift
/// final class Counter: Producer {
///     var number = 0
///     let transport: Transport
///     init(_ transport: Transport) { self.transport = transport }
///     func resumeProducing() {
///         number += 1
///         transport.write("\(number)\r\n")
///         if number == 1_000_000 { transport.unregisterProducer() }
///     }
///     func stopProducing() {}
/// }
/// try transport.registerProducer(Counter(transport), streaming: false)
/// ```
///
/// # Contract
/// - Everything happens on the reactor's thread. Pausing may come from inside a `write` of the producer's own.
/// - Pausing and resuming alternate, a pause being first.
/// - ``stopProducing()`` is called at most once, when the connection ends before the producer has unregistered, and before the protocol's
///   `connectionLost`. Nothing is called after it, nor after ``Transport/unregisterProducer()``.
/// - A closing connection waits for its producer to unregister, unless that one says by ``hasMore`` that nothing more will come.
/// - An error thrown from any of them is logged and closes the connection, with the error in the reason. The producer is stopped at once.
///
/// Twisted: `IPushProducer` and `IPullProducer`.
public protocol Producer: AnyObject {
    /// Called when too many bytes wait to be sent: write no more until ``resumeProducing()``. A pull producer needs none.
    func pauseProducing() throws

    /// Called to make a push producer write again, or a pull producer write its next piece.
    func resumeProducing() throws

    /// Called when the connection has ended: nothing that is written will be sent any more.
    func stopProducing() throws

    /// Whether more may come, so that a closing connection must wait; true unless it says otherwise.
    ///
    /// A transport that is another one's producer, or its own as in an echo, has no more once its connection is closing.
    var hasMore: Bool { get }
}

extension Producer {
    /// Does nothing; a pull producer is never paused.
    public func pauseProducing() throws {}

    /// True: a producer is waited for until it unregisters.
    public var hasMore: Bool { true }
}

/// What a transport refuses of a producer.
public enum ProducerError: Error, CustomStringConvertible, Sendable {
    /// A producer is registered already.
    case alreadyRegistered

    public var description: String {
        switch self {
        case .alreadyRegistered: "the transport has a producer already: unregister it before you register another"
        }
    }
}
