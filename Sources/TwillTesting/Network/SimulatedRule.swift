/// Something that is being sent, as a rule sees it.
public struct SimulatedSegment: Sendable {
    /// What it is.
    public enum Kind: Sendable {
        /// An attempt to connect.
        case connect
        /// Bytes of a stream.
        case data
        /// The end of a stream.
        case end
        case datagram
    }

    /// What it is.
    public let kind: Kind
    /// The host that sends it.
    public let from: String
    /// The host that it is sent to.
    public let to: String
    /// Which connection from the one to the other it belongs to, from 1 on; 0 for datagrams.
    public let connection: Int
    /// How many bytes were sent before it in its stream.
    public let offset: Int
    /// What it carries.
    public let bytes: [UInt8]
}

/// What becomes of a segment.
public enum SimulatedVerdict: Hashable, Sendable {
    /// The rule has nothing to say: the next one is asked, and then the fault plan.
    case pass
    /// It arrives so much later, and what is sent behind it on its connection no earlier. No fault befalls it.
    case deliver(after: Duration)
    /// It is held up, and all behind it on its connection, until the rule is removed.
    case hold
    /// It is lost. A stream that loses something has vanished: see ``FaultPlan/Ending/vanish``.
    case drop
    /// Both ends see the end of the stream instead of it; an attempt to connect is refused.
    case end
    /// Both ends see a reset instead of it; an attempt to connect is refused.
    case reset
}

/// A rule of the test's own, which decides about each segment before chance does. The first rule that does not let a segment pass has its way.
///
/// ```swift
/// let cut = network.rule { $0.from == "user" && $0.offset >= 17 ? .hold : .pass }
/// network.after(.seconds(30)) { cut.remove() }
/// ```
public final class SimulatedRule {
    let decide: (SimulatedSegment) -> SimulatedVerdict
    private let takeOut: (SimulatedRule) -> Void
    private var held: [() -> Void] = []
    /// Whether it was not removed.
    public private(set) var isInForce = true

    init(_ decide: @escaping (SimulatedSegment) -> SimulatedVerdict, takeOut: @escaping (SimulatedRule) -> Void) {
        self.decide = decide
        self.takeOut = takeOut
    }

    func keep(_ sending: @escaping () -> Void) {
        held.append(sending)
    }

    /// Takes the rule back, and lets arrive what it has held up. Doing so twice does nothing.
    public func remove() {
        guard isInForce else { return }
        isInForce = false
        takeOut(self)
        let waiting = held
        held = []
        for sending in waiting { sending() }
    }
}
