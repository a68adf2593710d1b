import Logging

/// Logs all that the connections of a factory receive and send, whole, to the reactor's logger.
///
/// For looking at a protocol while it is being written. ``TrafficLoggingFactory`` has a limit for each line, and logs elsewhere.
///
/// Twisted: `SpewingFactory`.
public final class SpewingFactory: TrafficLoggingFactory {
    /// Logs a factory's traffic at the level `info`, and without a limit.
    public init(wrapping wrapped: Factory) {
        super.init(wrapping: wrapped, lengthMax: nil, level: .info)
    }
}
