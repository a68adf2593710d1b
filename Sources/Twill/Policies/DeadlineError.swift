/// What a peer took too long for: the ``ConnectionLost/underlying`` error of a ``ConnectionLost/timedOut`` that a policy gave.
public enum DeadlineError: Error, Hashable, CustomStringConvertible, Sendable {
    /// Nothing was read or written for so long: ``TimeoutFactory``.
    case idle(Duration)
    /// No byte came within so long of connecting: ``DeadlineFactory``.
    case firstByte(Duration)
    /// A message was not whole so long after its first byte: ``DeadlineFactory``.
    case message(Duration)
    /// For so long, output was waiting and the peer took less of it than it has to: ``DrainRateFactory``.
    case drainRate(bytesPerSecondMin: Int, window: Duration)
    /// The header of a proxy was not whole so long after connecting: ``ProxyProtocolFactory``.
    case proxyHeader(Duration)

    public var description: String {
        switch self {
        case .idle(let timeout): "nothing was read or written for \(timeout)"
        case .firstByte(let limit): "no byte came within \(limit) of connecting"
        case .message(let limit): "a message was not whole within \(limit) of its first byte"
        case .drainRate(let bytesPerSecondMin, let window):
            "for \(window) output was waiting, and fewer than \(bytesPerSecondMin) bytes per second were taken"
        case .proxyHeader(let limit): "no whole PROXY header came within \(limit) of connecting"
        }
    }
}
