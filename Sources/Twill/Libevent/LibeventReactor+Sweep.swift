/// Looks now and then whether the peers of connections that nobody reads from are gone: of paused ones with input waiting, and of those whose
/// peer has closed its half.
///
/// libevent can't be left to it: what it watches level-triggered would call without end, and an edge-triggered watch can't stand beside the one for
/// writing on the same descriptor. A sweep costs two system calls for each such connection and none for the others.
extension LibeventReactor {
    private static let sweepInterval = Duration.seconds(1)

    /// Called for each connection that is not watched any more.
    func startSweeping() {
        guard !isSweeping else { return }
        isSweeping = true
        callLater(Self.sweepInterval) { [unowned self] in sweep() }
    }

    private func sweep() {
        isSweeping = false
        for case let transport? in transports where transport.isUnwatched {
            transport.lookForLoss()
            if transport.isUnwatched { startSweeping() }
        }
    }
}
