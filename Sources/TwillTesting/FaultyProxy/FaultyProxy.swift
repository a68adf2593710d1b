public import Twill

/// A relay between real programs that does to their connections what a ``FaultPlan`` says: the faults of a ``SimulatedNetwork``, on sockets.
///
/// ```swift
/// let proxy = FaultyProxy(
///     reactor: reactor, listen: try serverFromString("tcp:127.0.0.1:7001"), target: try clientFromString("tcp:127.0.0.1:7000"),
///     plan: .swarm(seed: 42), seed: 42)
/// proxy.whenFault = { event in print(event) }                 // #3 client>server: reset after 1234 bytes
/// try proxy.start()
/// try reactor.run()
/// print(proxy.statistics)
/// ```
///
/// The program `twill chaos` is this class with a command line.
///
/// # Contract
/// - What chance decides about a connection comes from the seed, from which connection it is, counted as they are accepted, and from which byte of
///   which direction it is. So the same seed does the same to the same bytes, however the network cuts them into pieces. An end that one direction
///   meets takes the other one wherever that is by then.
/// - A stream's bytes are never lost in the middle, doubled, changed or reordered. Half-closes are carried over, behind the bytes before them.
/// - Each side is read only as fast as the faults and the other side let its bytes go, so memory is bounded. What is held up waits in the sender.
/// - A side that breaks is followed by the other one, as ``/Twill/PortForwardFactory`` does it; so is a target that can't be reached, with a warning
///   in the reactor's log.
/// - Everything happens on the reactor's thread.
///
/// # What the faults are on real sockets
/// - A refusal is a connection that is accepted and reset at once: the system has answered the client before a relay hears of it. To see real
///   refusals, close the port by ``stop()``.
/// - A connection that hangs is accepted, and nothing is said to the target. What the client sends is taken, up to what a system's buffers hold.
/// - A slow connect is dialled late. An early reset comes when both sides are connected.
/// - What is split, and what comes byte by byte, leaves in writes that are ``pauseBetweenPieces`` apart, with no delay on the sockets. A busy receiver
///   may still find two pieces in one read.
/// - At an end both sides see one after what was sent; at a reset both see a reset, and the receiver may lose what it had not read.
/// - A connection that vanishes stays open on both sides, and nothing more is relayed. When either side sends in vain, or goes, the other is kept for
///   ``vanishedMax`` and then reset. Two sides that only listen stay.
/// - UNIX sockets have no resets: there every reset is an end, unless something was left unread.
public final class FaultyProxy {
    private let reactor: any Reactor
    private let endpoint: any StreamServerEndpoint
    private let relay: FaultyRelay

    /// The port, from ``start()`` on; its address says which number it has, and its `connectionsMax` may be set.
    public private(set) var port: (any ListeningPort)?

    /// Makes a proxy that does not listen yet.
    ///
    /// - Parameters:
    ///   - reactor: any reactor; on a ``SimulatedReactor`` time is virtual here too.
    ///   - listen: where clients come to.
    ///   - target: where each of their connections is carried on to.
    ///   - plan: what goes wrong, in both directions.
    ///   - answers: what goes wrong from the server to the client, where that is something else. Attempts to connect belong to `plan`.
    ///   - seed: where chance begins.
    public init(
        reactor: any Reactor, listen: any StreamServerEndpoint, target: any StreamClientEndpoint, plan: FaultPlan,
        answers: FaultPlan? = nil,
        seed: UInt64
    ) {
        self.reactor = reactor
        endpoint = listen
        relay = FaultyRelay(reactor: reactor, target: target, plan: plan, answers: answers, seed: seed)
    }

    /// Where chance begins.
    public var seed: UInt64 { relay.seed }

    /// What goes wrong; may be changed at any time, for what comes then. With ``FaultPlan/none`` here, and nil in ``answers``, the network has healed;
    /// what has vanished is gone.
    public var plan: FaultPlan {
        get { relay.plan }
        set { relay.plan = newValue }
    }

    /// What goes wrong from the server to the client, where that is not what ``plan`` says.
    public var answers: FaultPlan? {
        get { relay.answers }
        set { relay.answers = newValue }
    }

    /// How many bytes of a stream are a segment, of which a plan says how often it is split, held up or the last; 256 unless set. Programs whose
    /// messages are short see more faults with less.
    public var segmentBytes: Int {
        get { relay.segmentBytes }
        set { relay.segmentBytes = max(1, newValue) }
    }

    /// How far apart the pieces of what is split leave; a millisecond unless set.
    public var pauseBetweenPieces: Duration {
        get { relay.pauseBetweenPieces }
        set { relay.pauseBetweenPieces = newValue }
    }

    /// How long the rest of a vanished connection is kept; a quarter of an hour unless set, which is when a system gives up who sends in vain.
    public var vanishedMax: Duration {
        get { relay.vanishedMax }
        set { relay.vanishedMax = newValue }
    }

    /// Called with each fault when it happens. The reactor's log has them at the level debug.
    public var whenFault: ((Event) -> Void)? {
        get { relay.whenFault }
        set { relay.whenFault = newValue }
    }

    /// What was done so far.
    public var statistics: Statistics { relay.statistics }

    /// Listens. Where it listens already, it is the same port.
    ///
    /// - Throws: ``/Twill/ListenError``.
    @discardableResult
    public func start() throws -> any ListeningPort {
        if let port, port.isListening { return port }
        let port = try endpoint.listen(relay, on: reactor)
        self.port = port
        return port
    }

    /// Closes the port and resets the connections, those that hang or have vanished too. It may start again; the numbers of connections go on.
    public func stop() {
        port?.stopListening()
        port = nil
        relay.resetAll()
    }
}
