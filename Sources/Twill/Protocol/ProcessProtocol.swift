/// The handler of one child process: subclass it, override the events you care about.
///
/// ```swift
/// final class WordCount: ProcessProtocol {
///     override func connectionMade() {
///         transport.write("one two three\n")
///         transport.closeStdin()
///     }
///     override func outReceived(_ data: Span<UInt8>) { print("wc says \(String(repairing: data))") }
///     override func processEnded(_ end: ProcessEnd) { transport.reactor.stop() }
/// }
///
/// try reactor.spawnProcess(ProcessCommand("wc", arguments: ["-w"]), protocol: WordCount())
/// ```
///
/// # Contract
/// - `connectionMade` once, from inside `spawnProcess`; then `childDataReceived` any number of times, `childConnectionLost` once for each pipe,
///   `processExited` once; and at the end, when the process has ended and all its pipes are closed, `processEnded` exactly once, and nothing
///   after it. Data and the loss of a pipe may come after `processExited`: what the process said last, and what its own children say that hold
///   its pipes. Closing the pipes (``ProcessTransport/loseConnection()``) brings `processEnded` about where those don't end.
/// - Every event comes on the reactor's thread, and no event interrupts another of the same process.
/// - Any event may throw: the error is logged, the pipes are closed, and the process is sent SIGTERM, and SIGKILL five seconds later.
///   `processEnded` gets the error with the end. An error of `processEnded` itself is logged.
/// - A reactor that stops closes the pipes and leaves the process running: `processEnded` comes with ``ProcessEnd/Status/leftRunning``, without
///   `processExited`. When the process ends later, a thread takes note of it, so that nothing of it stays in the system.
/// - The process holds its protocol until `processEnded` has returned; nothing else in Twill does. Then it may be given to another process.
///
/// Twisted: `ProcessProtocol`, which a reactor that stops forgets without a word.
open class ProcessProtocol {
    #if DEBUG
    private let liveCount = LiveCount(.protocols)
    #endif
    private final var currentTransport: ProcessTransport?

    /// The process: where to write, and how to end it. Before `connectionMade` and after `processEnded` it is that of a process that has ended.
    public final var transport: ProcessTransport { currentTransport ?? ProcessTransport() }

    /// Whether a process uses this protocol now.
    public final var isInUse: Bool { currentTransport != nil }

    /// How log lines name this protocol; its type unless overridden. Twisted: `logPrefix`.
    open var logPrefix: String { "\(type(of: self))" }

    /// Makes a protocol that has no process yet.
    public init() {}

    /// Gives the protocol its transport and calls ``connectionMade()``. Reactors call it, and tests that bring a transport of their own.
    public final func makeConnection(_ transport: ProcessTransport) throws {
        currentTransport = transport
        try connectionMade()
    }

    /// Calls ``processEnded(_:)`` and lets the transport go. Reactors call it, and tests.
    public final func endConnection(_ end: ProcessEnd) throws {
        defer { currentTransport = nil }
        try processEnded(end)
    }

    /// Called once, when the process was started. A good place to write to it.
    open func connectionMade() throws {}

    /// Called with what the child wrote to one of its descriptors; unless overridden, it calls ``outReceived(_:)`` for 1 and ``errReceived(_:)``
    /// for 2.
    ///
    /// The span is never empty, and is lent for the length of the call.
    open func childDataReceived(_ descriptor: CInt, _ data: Span<UInt8>) throws {
        switch descriptor {
        case 1: try outReceived(data)
        case 2: try errReceived(data)
        default: break
        }
    }

    /// Called with what the child wrote to its standard output.
    open func outReceived(_ data: Span<UInt8>) throws {}

    /// Called with what the child wrote to its standard error.
    open func errReceived(_ data: Span<UInt8>) throws {}

    /// Called once for each pipe, when it is closed: by the child, by this side, or by the reactor that stops. Unless overridden, it calls the method of
    /// its own of 0, 1 and 2.
    ///
    /// - Parameters:
    ///   - descriptor: which one it is, by its number in the child.
    ///   - reason: ``ConnectionLost/done`` where a pipe that was read has ended, or this side has closed it; ``ConnectionLost/lost`` where
    ///     the child reads no more what was written to it; ``ConnectionLost/unsentLimit`` and ``ConnectionLost/timedOut`` where it read too slowly;
    ///     ``ConnectionLost/reactorStopped``.
    open func childConnectionLost(_ descriptor: CInt, _ reason: ConnectionLost) throws {
        switch descriptor {
        case 0: try inConnectionLost()
        case 1: try outConnectionLost()
        case 2: try errConnectionLost()
        default: break
        }
    }

    /// Called once, when the child's standard input is closed.
    open func inConnectionLost() throws {}

    /// Called once, when the child's standard output has ended.
    open func outConnectionLost() throws {}

    /// Called once, when the child's standard error has ended.
    open func errConnectionLost() throws {}

    /// Called once, when the process has ended. Its pipes may still be open.
    open func processExited(_ end: ProcessEnd) throws {}

    /// Called exactly once, when the process has ended and its pipes are closed. Break reference cycles here.
    open func processEnded(_ end: ProcessEnd) throws {}
}
