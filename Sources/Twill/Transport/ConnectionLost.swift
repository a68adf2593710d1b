/// Why a connection ended: what `connectionLost` is told.
///
/// Compare with `==` to ask what kind of end it was; two reasons of one kind are equal whatever error lies beneath.
///
/// ```swift
/// final class Careful: Protocol {
///     override func connectionLost(_ reason: ConnectionLost) {
///         if reason == .timedOut { print("it was silent for too long") } else if !reason.isClean { print(reason) }
///     }
/// }
/// ```
///
/// Twisted: `ConnectionDone`, `ConnectionLost`, `ConnectionAborted` and the exceptions of callbacks, in one type.
public struct ConnectionLost: Error, Sendable {
    package enum Kind: UInt8, CaseIterable, Sendable {
        case done, lost, aborted, timedOut, unsentLimit, badInput, failed, reactorStopped
    }

    package let kind: Kind
    // Behind a reference, because every open connection has room for a reason.
    private let details: Details?

    private final class Details: Sendable {
        let underlying: (any Error)?
        let peer: Address

        init(_ underlying: (any Error)?, _ peer: Address) {
            self.underlying = underlying
            self.peer = peer
        }
    }

    private init(_ kind: Kind) {
        self.kind = kind
        details = nil
    }

    private init(_ kind: Kind, _ underlying: (any Error)?, peer: Address = .unknown) {
        self.kind = kind
        details = Details(underlying, peer)
    }

    /// The error beneath: a ``SystemError`` where the system ended the connection, the thrown error where a callback did.
    public var underlying: (any Error)? { details?.underlying }

    /// The error number of the system call that failed, `ECONNRESET` for example; nil where none did.
    public var errno: CInt? { (underlying as? SystemError)?.errno }

    /// Who was at the other end of a connection that did not end in good order; ``Address/unknown`` for a clean end.
    public var peer: Address { details?.peer ?? .unknown }

    /// The same reason, with who was at the other end. A clean end needs no name.
    package func with(_ peer: Address) -> ConnectionLost {
        isClean ? self : ConnectionLost(kind, underlying, peer: peer)
    }

    /// Either side closed in good order, and everything written before was handed to the network.
    public static let done = ConnectionLost(.done)
    /// The connection broke: the peer reset it or vanished, or the network failed.
    public static let lost = ConnectionLost(.lost)
    /// This side called `abortConnection`.
    public static let aborted = ConnectionLost(.aborted)
    /// The peer took too long: it took no byte of a closing connection for the transport's stall timeout, or a deadline of a policy passed.
    public static let timedOut = ConnectionLost(.timedOut)
    /// More unsent bytes were waiting than the transport's limit allows.
    public static let unsentLimit = ConnectionLost(.unsentLimit)
    /// A callback of the protocol threw something other than a ``Rejection``; the error is in ``underlying``.
    public static let failed = ConnectionLost(.failed)
    /// The peer broke the rules of the protocol; ``underlying`` says which, as a ``Rejection`` or an error of your own.
    public static let badInput = ConnectionLost(.badInput)
    /// The reactor was stopped while the connection was open.
    public static let reactorStopped = ConnectionLost(.reactorStopped)

    /// The peer took too long, in this way.
    public static func timedOut(_ error: any Error) -> ConnectionLost { ConnectionLost(.timedOut, error) }
    /// The connection broke because of an error of the system.
    public static func lost(_ error: any Error) -> ConnectionLost { ConnectionLost(.lost, error) }
    /// The peer broke the rules of the protocol in this way.
    public static func badInput(_ error: any Error) -> ConnectionLost { ConnectionLost(.badInput, error) }
    /// A callback threw this error.
    public static func failed(_ error: any Error) -> ConnectionLost { ConnectionLost(.failed, error) }

    /// What an error means that a callback threw: a ``Rejection`` blames the peer.
    package static func thrown(_ error: any Error) -> ConnectionLost { error is Rejection ? .badInput(error) : .failed(error) }

    /// Whether both sides ended in good order.
    public var isClean: Bool { kind == .done }
}

extension ConnectionLost: Equatable {
    public static func == (left: ConnectionLost, right: ConnectionLost) -> Bool { left.kind == right.kind }
}

extension ConnectionLost: CustomStringConvertible {
    public var description: String {
        let name = peer == .unknown ? "" : " \(peer)"
        let withPeer = name.isEmpty ? "" : " with\(name)"
        let sentence =
            switch kind {
            case .done: "the connection was closed cleanly"
            case .lost: "the connection\(withPeer) was lost"
            case .aborted: "the connection\(withPeer) was aborted by this side"
            case .timedOut: "the peer\(name) took too long"
            case .unsentLimit: "the peer\(name) read too slowly: the limit of unsent bytes was passed"
            case .badInput: "the peer\(name) broke the rules of the protocol"
            case .failed: "a callback of the protocol failed"
            case .reactorStopped: "the reactor was stopped"
            }
        guard let underlying else { return sentence }
        return "\(sentence): \(underlying)"
    }
}
