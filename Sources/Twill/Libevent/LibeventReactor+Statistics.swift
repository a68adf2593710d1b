import Logging

/// What the reactor counts and measures.
extension LibeventReactor {
    /// A callback that takes longer than this is logged: meanwhile nobody else was served.
    private static let slowCallback = Duration.milliseconds(50)

    public var statistics: ReactorStatistics {
        retireClosedPorts()
        var statistics = ReactorStatistics()
        statistics.connections = retired
        statistics.connections.add(outgoing.current)
        for settings in portSettings {
            statistics.connections.add(settings.counters.current)
        }
        statistics.loopLag = loopLag
        statistics.longestLoopLag = longestLoopLag
        statistics.longestCallback = .nanoseconds(longestCallback)
        return statistics
    }

    /// Adds up what ports have counted that will count no more.
    func retireClosedPorts() {
        for settings in portSettings where settings.isRetired {
            retired.add(settings.counters.current)
        }
        portSettings.removeAll(where: \.isRetired)
    }

    func noteLag(of call: DelayedCall, at now: ReactorClock.Instant) {
        loopLag = max(.zero, call.time.duration(to: now))
        longestLoopLag = max(longestLoopLag, loopLag)
    }

    /// Begins every callback.
    @inline(__always)
    func beginCallback() {
        if callbackBegan == 0 { callbackBegan = MonotonicTime.roughly }
    }

    /// Notes how long a callback took, by a clock that costs next to nothing. The next one is taken to begin now.
    @inline(__always)
    func noteCallback(of transport: SocketTransport?) {
        let now = MonotonicTime.roughly
        let taken = now - callbackBegan
        if taken > longestCallback, callbackBegan != 0 { noteLongest(taken, transport) }
        callbackBegan = now
    }

    @inline(never)
    private func noteLongest(_ taken: Int64, _ transport: SocketTransport?) {
        longestCallback = taken
        let duration = Duration.nanoseconds(taken)
        guard duration > Self.slowCallback else { return }
        let name = transport.map { "\($0.handler?.logPrefix ?? "A protocol") with \($0.peer)" } ?? "A call"
        logger.notice(
            "\(name) kept the reactor busy for \(duration), and nobody else was served meanwhile; do blocking work in deferToThread")
    }
}

extension SocketTransport.Settings {
    /// Whether nothing will be counted here any more.
    fileprivate var isRetired: Bool { !isOpen && counters.current.open == 0 }
}
