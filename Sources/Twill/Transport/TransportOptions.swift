/// What a TCP connection asks of the system and of Twill; the same for both sides.
///
/// ```swift
/// var options = TransportOptions()
/// options.keepAlive = .init(idle: .seconds(30), interval: .seconds(10), count: 3)
/// try reactor.listenTCP(port: 8007, factory: Factory { Echo() }, options: options)
/// ```
public struct TransportOptions: Sendable {
    /// How the system looks for a peer that vanished without a word.
    public struct KeepAlive: Sendable, Equatable {
        /// How long a connection must be silent before the first probe; whole seconds, at least one.
        public var idle: Duration
        /// The time between two probes; whole seconds, at least one.
        public var interval: Duration
        /// How many probes in a row may stay unanswered before the connection is lost.
        public var count: Int

        /// Probes after a minute of silence, then each 10 seconds, and gives the peer up after six: two minutes in all.
        public init(idle: Duration = .seconds(60), interval: Duration = .seconds(10), count: Int = 6) {
            self.idle = idle
            self.interval = interval
            self.count = count
        }
    }

    /// Whether small writes go out at once instead of waiting for the acknowledgement of earlier ones (TCP_NODELAY).
    ///
    /// On by default: Twill already gathers all writes of one callback into one segment, so waiting only adds latency.
    public var noDelay = true

    /// Whether and how the system probes a silent peer; off by default.
    public var keepAlive: KeepAlive?

    /// The size in bytes of the system's send buffer (SO_SNDBUF); nil leaves it to the system, which adapts it.
    public var sendBufferBytes: Int?

    /// The size in bytes of the system's receive buffer (SO_RCVBUF); nil leaves it to the system, which adapts it.
    public var receiveBufferBytes: Int?

    /// How long closing the descriptor keeps trying to deliver what the system still holds (SO_LINGER); nil, the default, leaves
    /// that to the system, which delivers in the background.
    ///
    /// `.zero` makes every close a reset. Anything longer can block the reactor's thread at close, so leave it nil unless a peer
    /// asks for it.
    public var linger: Duration?

    /// How many unsent bytes may wait in this process for a peer that reads too slowly, and when producers are paused and resumed.
    public var waterMarks = WaterMarks()

    /// How long a closing connection may go without sending a single byte before it is aborted with
    /// ``ConnectionLost/timedOut``; 60 seconds by default.
    public var stallTimeout = Duration.seconds(60)

    /// How long a closed connection is kept half-open to read and discard what the peer still sends, so that a reset does not
    /// destroy what this side sent last; 2 seconds by default. The protocol is told before that time starts.
    public var lingerTimeout = Duration.seconds(2)

    /// The defaults.
    public init() {}
}
