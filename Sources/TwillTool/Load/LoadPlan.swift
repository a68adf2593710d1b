import Twill

/// What a load shall do, as it was asked for and checked. Nothing has been started yet.
struct LoadPlan {
    /// When a load ends.
    enum Amount: Equatable {
        /// So long after the warm-up.
        case duration(Duration)
        /// After exactly so many messages, all connections and the warm-up included.
        case messages(Int)
    }

    let endpoint: any StreamClientEndpoint
    let framing: LoadFraming
    let connections: Int
    /// The size of a message on the wire that was asked for.
    let messageBytes: Int
    /// How many messages are in flight on each connection.
    let depth: Int
    /// How many messages are sent in a second, whether replies come or not; nil for the next one when a reply has come.
    var rate: Double?
    let warmup: Duration
    let amount: Amount

    /// The message that fits.
    func makeMessage() -> LoadMessage {
        LoadMessage(framing: framing, messageBytes: messageBytes, depth: depth)
    }
}
