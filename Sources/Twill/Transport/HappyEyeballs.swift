/// Which of a name's addresses is tried when (RFC 8305). Knows nothing of sockets or clocks: it is told what happened, and says what to do.
///
/// The two IP families take turns, beginning with the one that the resolver put first. Each attempt has a head start over the next one; an attempt
/// that fails gives the next one its turn at once. The first that succeeds wins.
package struct HappyEyeballs {
    /// How long an attempt has for itself, unless told otherwise; RFC 8305's recommendation.
    package static let headStart = Duration.milliseconds(250)

    /// What to do now.
    package enum Action: Equatable, Sendable {
        /// Begin an attempt, and call ``timePassed()`` after the head start if others remain.
        case attempt(Address, othersRemain: Bool)
        /// Wait for an attempt that is under way.
        case wait
        /// All attempts have failed.
        case giveUp
    }

    private var remaining: ArraySlice<Address>
    private var underWay = 0

    /// Begins with the addresses in the resolver's order; one that is there twice is tried once.
    package init(_ addresses: [Address]) {
        remaining = Self.interleaved(addresses)[...]
    }

    /// Begins, or goes on because the head start of the last attempt is over.
    package mutating func timePassed() -> Action { nextAttempt() }

    /// Goes on because an attempt has failed.
    package mutating func attemptFailed() -> Action {
        underWay -= 1
        return nextAttempt()
    }

    private mutating func nextAttempt() -> Action {
        guard let address = remaining.popFirst() else { return underWay > 0 ? .wait : .giveUp }
        underWay += 1
        return .attempt(address, othersRemain: !remaining.isEmpty)
    }

    private static func interleaved(_ addresses: [Address]) -> [Address] {
        var seen: Set<Address> = []
        let unique = addresses.filter { seen.insert($0).inserted }
        guard let first = unique.first else { return [] }
        let preferred = unique.filter { $0.isIPv6 == first.isIPv6 }
        let others = unique.filter { $0.isIPv6 != first.isIPv6 }
        var order: [Address] = []
        for index in 0..<max(preferred.count, others.count) {
            if index < preferred.count { order.append(preferred[index]) }
            if index < others.count { order.append(others[index]) }
        }
        return order
    }
}

extension Address {
    fileprivate var isIPv6: Bool {
        if case .ipv6 = self { true } else { false }
    }
}
