/// What a reactor has counted since it was made; see ``Reactor/statistics``.
public struct ReactorStatistics: Sendable, Equatable {
    /// The connections of all ports and all outgoing ones together, those that have ended included.
    public package(set) var connections = ConnectionStatistics()

    /// How late the last delayed call was made: how long something that is ready waits for its turn.
    public package(set) var loopLag = Duration.zero

    /// The longest ``loopLag`` so far.
    public package(set) var longestLoopLag = Duration.zero

    /// How long the longest callback so far kept the reactor busy, in steps of some milliseconds.
    public package(set) var longestCallback = Duration.zero

    package init() {}
}
