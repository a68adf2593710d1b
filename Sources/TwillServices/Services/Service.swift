import Logging
public import Twill

/// A part of a program that can be started and stopped: a port with what it serves, a client that stays connected, a timer, or several of them.
///
/// ```swift
/// final class Cache: Service {
///     private var file: FileSource?
///     override func startService() throws { file = try FileSource(path: "/var/cache/table") }
///     override func stopService() throws -> Deferred<Void>? {
///         file = nil
///         return nil  // or a Deferred that fires when all is saved
///     }
/// }
/// ```
///
/// # Contract
/// - A service stands in a tree: a ``MultiService`` starts and stops those that it has, and the one at the root knows the ``reactor``.
/// - You override the methods whose names end in `Service`, and whoever owns the root calls ``privilegedStart()``, ``start()``, ``reload()``,
///   ``drain(deadline:)`` and ``stop()``. These keep the ``state``: each of yours is called when it makes sense, and once.
/// - The order is `privilegedStartService`, `startService`, then at the end `drainService`, if there is time for it, and `stopService`. After that it may
///   start again.
/// - `stopService` is called wherever `privilegedStartService` has returned, whether or not `startService` was called, or threw.
/// - `reloadService` may be called at any time while it runs.
/// - Everything happens on the reactor's thread.
///
/// Twisted: `Service`, where a subclass overrides what its owner calls.
open class Service {
    /// Where a service stands.
    public enum State: Sendable {
        /// It does nothing.
        case stopped
        /// It has what it needs privileges for: its port is bound, say, and nobody is served yet.
        case bound
        /// It runs.
        case running
        /// It ends: what it has under way is waited for.
        case stopping
    }

    /// What it is called in log lines and by its parent; nil where it needs no name. Twisted: `name`.
    public final let name: String?

    /// The service that has this one. Twisted: `parent`.
    public final internal(set) weak var parent: MultiService?

    /// Where it stands.
    public final private(set) var state = State.stopped

    /// What `stop` has returned, until it fires.
    private final var stopping: [Deferred<Void>] = []
    /// Whether it starts again once it has stopped.
    private final var startsAgain = false

    /// Whether it runs. Twisted: `running`.
    public final var isRunning: Bool { state == .running }

    /// Makes a service that is stopped.
    public init(name: String? = nil) {
        self.name = name
    }

    /// How log lines name it: its name, or else its type.
    open var logPrefix: String { name ?? "\(type(of: self))" }

    /// The reactor on which it runs: its root's.
    ///
    /// - Precondition: it is in a tree whose root was made for a reactor. That is so from `privilegedStartService` on.
    public final var reactor: any Reactor {
        guard let reactor = knownReactor else {
            preconditionFailure("\(logPrefix) has no reactor yet: add it to MultiService(on: reactor), or to a service that is in one")
        }
        return reactor
    }

    /// Which of several reactors that is; the only one where there are no others.
    public final var place: ReactorPlace { knownPlace }

    var knownReactor: (any Reactor)? { parent?.knownReactor }

    var knownPlace: ReactorPlace { parent?.knownPlace ?? .only }

    // What a service does.

    /// Takes what needs privileges, and what others would take away: binds ports, opens files. Nobody is served yet.
    ///
    /// Called once for each start, before the program gives up its privileges. What it throws ends the start; nothing else is called then, so it leaves
    /// nothing behind.
    ///
    /// Twisted: `privilegedStartService`.
    open func privilegedStartService() throws {}

    /// Begins to work, without privileges. What it throws ends the start, and ``stopService()`` follows.
    ///
    /// Twisted: `startService`.
    open func startService() throws {}

    /// Reads anew what it was configured with: a table, a certificate. Nothing is torn down for it.
    ///
    /// An ``Application`` calls it at SIGHUP, after the log was opened anew and when privileges are long gone: what is read must be readable for the
    /// user that the program runs as. Signals that come faster than they can be followed are one, and the last of them is always followed. What it
    /// throws is logged, and the service goes on with what it has; so an override reads everything before it changes anything.
    ///
    /// Twisted has none.
    open func reloadService() throws {}

    /// Takes nothing new any more, and lets what is under way come to its end; what it returns fires then.
    ///
    /// Called when the program is to end and there is time left. At the deadline it breaks off what is left. It may be called a second time with an
    /// earlier deadline, which holds from then on. ``stopService()`` follows in any case. By default nothing is waited for.
    ///
    /// Twisted has none.
    open func drainService(deadline: ReactorClock.Instant) throws -> Deferred<Void>? { nil }

    /// Gives back all that was taken, and ends what is under way; what it returns fires when nothing is left. nil where that is so already.
    ///
    /// The service counts as stopped afterwards, whatever it throws or the Deferred fails with; that is told to whoever has stopped it.
    ///
    /// Twisted: `stopService`.
    open func stopService() throws -> Deferred<Void>? { nil }

    // What its owner calls.

    /// Binds its ports. Does nothing unless it is stopped; ``start()`` does it, too.
    ///
    /// - Throws: what ``privilegedStartService()`` throws.
    public final func privilegedStart() throws {
        guard state == .stopped else { return }
        try privilegedStartService()
        state = .bound
    }

    /// Starts it. Does nothing where it runs; one that is stopping starts again when it has stopped, and an error of that start is logged.
    ///
    /// - Throws: what ``privilegedStartService()`` and ``startService()`` throw. Then it stops again, and has stopped when what ``stop()`` returns
    ///   has fired.
    public final func start() throws {
        switch state {
        case .running: return
        case .stopping:
            startsAgain = true
            return
        case .stopped: try privilegedStart()
        case .bound: break
        }
        do {
            try startService()
        } catch {
            logFailure(of: stop())
            throw error
        }
        // Something that it has called may have stopped it.
        if state == .bound { state = .running }
    }

    /// Lets it read its configuration anew; see ``reloadService()``. Does nothing unless it runs. What that throws is logged.
    public final func reload() {
        guard state == .running else { return }
        do {
            try reloadService()
        } catch {
            reactor.logger.error("\(logPrefix) could not be reloaded, and goes on as it was: \(error)")
        }
    }

    /// Lets what is under way come to its end; see ``drainService(deadline:)``. Nothing happens unless it is bound or runs.
    ///
    /// - Returns: fires when nothing is under way, at the deadline or a little later at the latest.
    public final func drain(deadline: ReactorClock.Instant) -> Deferred<Void> {
        guard state == .bound || state == .running else { return .succeed(()) }
        return maybeDeferred { try drainService(deadline: deadline) ?? .succeed(()) }
    }

    /// Stops it. One that stops already goes on stopping.
    ///
    /// - Returns: fires when it has stopped; fails with what it could not do for that.
    @discardableResult
    public final func stop() -> Deferred<Void> {
        startsAgain = false
        switch state {
        case .stopped: return .succeed(())
        case .stopping:
            let outcome = Deferred<Void>(canceller: { _ in })
            stopping.append(outcome)
            return outcome
        case .bound, .running: break
        }
        state = .stopping
        let outcome = Deferred<Void>(canceller: { _ in })
        stopping = [outcome]
        maybeDeferred { try stopService() ?? .succeed(()) }.addBoth { self.stopped($0) }
        return outcome
    }

    private final func stopped(_ result: Result<Void, any Error>) {
        state = .stopped
        let waiting = stopping
        stopping = []
        if startsAgain {
            startsAgain = false
            do {
                try start()
            } catch {
                knownReactor?.logger.error("\(logPrefix) could not be started again: \(error)")
            }
        }
        // One that was cancelled takes no result; it has one.
        for outcome in waiting where !outcome.hasFired { try? outcome.fire(result) }
    }

    /// Logs what stopping fails with, where nobody asks for it.
    final func logFailure(of stopping: Deferred<Void>) {
        stopping.addErrback { error in
            self.knownReactor?.logger.error("\(self.logPrefix) could not stop in good order: \(error)")
        }
    }
}
