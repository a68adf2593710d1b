/// Descriptors that are no sockets, to be served as one connection: the ends of two pipes, a terminal, files.
///
/// ```swift
/// try reactor.adoptStreamConnection(over: PipeBinding(input: 3, output: 4), protocol: Greeting())
/// ```
///
/// Either may be missing: then the connection only reads, or only writes.
public struct PipeBinding: Sendable {
    /// Where bytes come from; nil for a connection that only writes.
    public var input: CInt?

    /// Where bytes go to; nil for a connection that only reads.
    public var output: CInt?

    /// What it is, for people who read it: ``Transport/peer`` and ``Transport/host`` are ``Address/pipe(_:)`` with this name.
    public var name: String

    /// How many unsent bytes may wait, and how long closing may take; what belongs to sockets in it is passed over.
    public var options: TransportOptions

    /// Whether the other side is given time to end when this side closes: the output ends at once, and what still arrives is read and dropped
    /// until the other side ends too, for ``TransportOptions/lingerTimeout`` at most. Otherwise both directions end together.
    public var drainsInput: Bool

    /// Names the descriptors of a connection.
    public init(
        input: CInt?, output: CInt?, name: String = "a pipe", options: TransportOptions = TransportOptions(), drainsInput: Bool = false
    ) {
        self.input = input
        self.output = output
        self.name = name
        self.options = options
        self.drainsInput = drainsInput
    }

    /// This process's standard input and output.
    public static let standardIO = PipeBinding(input: 0, output: 1, name: "standard input and output")
}
