/// What the way from one host to another is like, for each connection that goes over it.
public struct LinkConditions: Hashable, Sendable {
    /// How long anything takes from one host to the other; a millisecond unless set.
    public var latency: Duration
    /// How much longer it may take, by chance. Nothing overtakes what was sent before it on the same connection.
    public var jitter: Duration
    /// How many bytes of one connection leave in a second; nil for as many as there are.
    public var bytesPerSecond: Int?
    /// How many bytes may be on their way, or wait for a protocol that does not read; fewer where the connection asked for a smaller send buffer.
    /// What goes beyond waits in the writer's process.
    public var windowBytes: Int
    /// How many bytes arrive in one piece at the most.
    public var segmentBytes: Int

    /// Describes a link: a fast one without jitter, unless told otherwise.
    public init(
        latency: Duration = .milliseconds(1), jitter: Duration = .zero, bytesPerSecond: Int? = nil, windowBytes: Int = 256 << 10,
        segmentBytes: Int = 64 << 10
    ) {
        self.latency = latency
        self.jitter = jitter
        self.bytesPerSecond = bytesPerSecond
        self.windowBytes = windowBytes
        self.segmentBytes = segmentBytes
    }

    /// The way from a host to itself: what is sent arrives on the next turn.
    public static let local = LinkConditions(latency: .zero, windowBytes: 1 << 20)
}
