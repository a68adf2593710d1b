/// Where a ``ClientService`` stands, and what each event asks it to do.
///
/// A value that knows no reactor: events go in, actions come out, and the service carries them out in order.
///
/// | phase        | start      | made       | prepared  | refused      | failed  | lost    | due        | stop       |
/// |--------------|------------|------------|-----------|--------------|---------|---------|------------|------------|
/// | `stopped`    | connecting | -          | -         | -            | -       | -       | -          | -          |
/// | `connecting` | -          | preparing  | -         | -            | waiting | -       | -          | stopping   |
/// | `preparing`  | -          | -          | connected | discarding   | -       | waiting | -          | stopping   |
/// | `discarding` | -          | -          | -         | -            | -       | waiting | -          | stopping   |
/// | `connected`  | -          | -          | -         | -            | -       | waiting | -          | stopping   |
/// | `waiting`    | -          | -          | -         | -            | -       | -       | connecting | stopped    |
/// | `stopping`   | -          | closes it  | -         | -            | stopped | stopped | -          | -          |
struct ClientServiceState {
    enum Phase {
        case stopped, connecting, preparing, discarding, connected, waiting, stopping
    }

    enum Event {
        case start
        /// A connection was made.
        case made
        /// It is ready to be used.
        case prepared
        /// It can't be used.
        case refused(any Error)
        /// An attempt has ended without a connection.
        case failed(any Error)
        /// A connection has ended.
        case lost(any Error)
        /// The wait is over.
        case due
        case stop
    }

    enum Action {
        case connect
        /// Gives the attempt up.
        case cancelAttempt
        /// Asks the connection's preparation to begin, or to end.
        case prepare
        case cancelPreparation
        /// Closes the connection.
        case disconnect
        /// Tells those who wait that it is there.
        case tellConnected
        /// Tells those who have no patience left that an attempt has failed.
        case tellFailed(any Error)
        /// Tells all who wait that there will be none.
        case tellStopped
        case wait
        case cancelWait
        /// Nothing is under way any more.
        case ended
    }

    private(set) var phase = Phase.stopped
    /// How many attempts have failed since the last success.
    private(set) var failedAttempts = 0

    mutating func take(_ event: Event) -> [Action] {
        switch (phase, event) {
        case (.stopped, .start): return go(.connecting, [.connect])

        case (.connecting, .made): return go(.preparing, [.prepare])
        case (.connecting, .failed(let error)): return fail(error, [])
        case (.connecting, .stop): return go(.stopping, [.tellStopped, .cancelAttempt])

        case (.preparing, .prepared):
            failedAttempts = 0
            return go(.connected, [.tellConnected])
        case (.preparing, .refused(let error)):
            failedAttempts += 1
            return go(.discarding, [.disconnect, .tellFailed(error)])
        case (.preparing, .lost(let error)): return fail(error, [.cancelPreparation])
        case (.preparing, .stop): return go(.stopping, [.cancelPreparation, .tellStopped, .disconnect])

        case (.discarding, .lost): return go(.waiting, [.wait])
        case (.discarding, .stop): return go(.stopping, [.tellStopped])

        case (.connected, .lost): return go(.waiting, [.wait])
        case (.connected, .stop): return go(.stopping, [.disconnect])

        case (.waiting, .due): return go(.connecting, [.connect])
        case (.waiting, .stop): return go(.stopped, [.cancelWait, .tellStopped, .ended])

        // The connection came while the attempt was being given up.
        case (.stopping, .made): return go(.stopping, [.disconnect])
        case (.stopping, .failed), (.stopping, .lost): return go(.stopped, [.ended])

        default: return []
        }
    }

    private mutating func go(_ next: Phase, _ actions: [Action]) -> [Action] {
        phase = next
        return actions
    }

    private mutating func fail(_ error: any Error, _ actions: [Action]) -> [Action] {
        failedAttempts += 1
        return go(.waiting, actions + [.tellFailed(error), .wait])
    }
}
