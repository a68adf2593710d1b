/// A child process as its ``ProcessProtocol`` sees it: where to write, what to close, and how to end it.
///
/// ```swift
/// final class Sorted: ProcessProtocol {
///     override func connectionMade() {
///         transport.write("pear\napple\n")
///         transport.closeStdin()
///     }
///     override func outReceived(_ data: Span<UInt8>) { print(String(repairing: data)) }
/// }
/// ```
///
/// # Contract
/// - Each pipe between the two is a connection of one direction, with every promise of ``Transport``: ``pipe(_:)`` lends it, for water marks, for
///   what waits unsent, or as another connection's producer. What is said below without a number is about the child's standard input, and about
///   all that this process reads.
/// - What is written is sent in order and never waited for; beyond the limit of unsent bytes (16 MiB unless set) the pipe is closed, and
///   `childConnectionLost` says why. A child that reads slowly is best written to by a producer.
/// - After a pipe was closed, writes to it are dropped, and closing again does nothing.
/// - Nothing here blocks, and no callback comes from inside a call, but for those of a pull producer.
///
/// Made by itself it is the transport of a process that has ended.
///
/// Twisted: `IProcessTransport`.
open class ProcessTransport: Producer {
    private final var killing: DelayedCall?

    /// Makes the transport of a process that has ended.
    public init() {}

    /// The process's number; nil from the moment on at which its end is known, because another process may get it.
    open var pid: Int32? { nil }

    /// The pipe between this process and a descriptor of the child's; nil where there is none, or it was lost.
    ///
    /// Its `loseConnection` and `abortConnection` close it, which the ``ProcessProtocol`` is told.
    open func pipe(_ descriptor: CInt) -> Transport? { nil }

    /// The child's descriptors with pipes that are open, in order.
    open var openPipes: [CInt] { [] }

    /// Sends a signal to the process.
    ///
    /// - Throws: ``ProcessError/ended`` where its end is known; ``ProcessError/signalRefused`` where the system refuses: the signal is none, or the
    ///   process has become another user's.
    ///
    /// Twisted: `signalProcess`.
    open func signalProcess(_ signal: ProcessSignal) throws(ProcessError) {
        throw ProcessError.ended
    }

    /// The reactor that has started the process.
    ///
    /// - Precondition: the transport was handed to a protocol by a reactor.
    open var reactor: any Reactor {
        preconditionFailure("this transport belongs to no reactor: use it from connectionMade on")
    }

    /// Sends a signal by its name: `TERM`, `SIGHUP`.
    ///
    /// - Throws: ``ProcessError/signalRefused`` for a name that is none, and what the other method throws.
    public final func signalProcess(_ name: String) throws(ProcessError) {
        guard let signal = ProcessSignal(named: name) else { throw ProcessError.signalRefused.of("", "there is none called \(name)") }
        try signalProcess(signal)
    }

    /// Asks the process to end, with SIGTERM, and kills it if it is still there after a while. Does nothing where it has ended.
    ///
    /// Its pipes stay as they are. Where the reactor stops meanwhile, it is not killed.
    public final func terminate(killingAfter grace: Duration = .seconds(5)) {
        guard pid != nil, killing == nil else { return }
        try? signalProcess(.terminate)
        killing = reactor.callLater(grace) { [weak self] in try? self?.signalProcess(.kill) }
    }

    /// Takes back what ``terminate(killingAfter:)`` is about to do; called when the process has ended.
    package final func cancelKilling() {
        killing?.cancelIfActive()
        killing = nil
    }

    // What is made of the pipes.

    /// Writes to a descriptor of the child's. Twisted: `writeToChild`.
    public final func writeToChild(_ descriptor: CInt, _ data: Span<UInt8>) { pipe(descriptor)?.write(data) }

    /// Writes to the child's standard input.
    public final func write(_ data: Span<UInt8>) { pipe(0)?.write(data) }

    /// Writes an array's bytes to the child's standard input.
    public final func write(_ bytes: [UInt8]) { pipe(0)?.write(bytes) }

    /// Writes a text to the child's standard input, as UTF-8.
    public final func write(_ text: String) { pipe(0)?.write(text) }

    /// Closes the child's standard input once everything written so far is sent: the child reads its end. Twisted: `closeStdin`.
    public final func closeStdin() { closeChildDescriptor(0) }

    /// Closes the pipe of the child's standard output; a child that goes on writing gets SIGPIPE. Twisted: `closeStdout`.
    public final func closeStdout() { closeChildDescriptor(1) }

    /// Closes the pipe of the child's standard error. Twisted: `closeStderr`.
    public final func closeStderr() { closeChildDescriptor(2) }

    /// Closes the pipe of a descriptor of the child's, once everything written to it is sent. Twisted: `closeChildFD`.
    public final func closeChildDescriptor(_ descriptor: CInt) { pipe(descriptor)?.loseConnection() }

    /// Closes all pipes, each once everything written to it is sent. The process may go on; most end soon.
    public final func loseConnection() {
        for descriptor in openPipes { closeChildDescriptor(descriptor) }
    }

    /// Stops reading what the child says; it waits when its pipes are full.
    public final func pauseProducing() {
        for descriptor in openPipes { pipe(descriptor)?.pauseProducing() }
    }

    /// Reads again.
    public final func resumeProducing() {
        for descriptor in openPipes { pipe(descriptor)?.resumeProducing() }
    }

    /// Closes all pipes: what the process does as another connection's producer when that one has ended.
    public final func stopProducing() { loseConnection() }

    /// Whether the process may still say something.
    public final var hasMore: Bool { !openPipes.isEmpty }

    /// Registers who writes to the child's standard input; see ``Producer``. Where that is closed, the producer is only told to stop.
    ///
    /// - Throws: ``ProducerError/alreadyRegistered``.
    public final func registerProducer(_ producer: any Producer, streaming: Bool) throws {
        try (pipe(0) ?? Transport()).registerProducer(producer, streaming: streaming)
    }

    /// Lets the producer go. Does nothing where there is none.
    public final func unregisterProducer() { pipe(0)?.unregisterProducer() }
}
