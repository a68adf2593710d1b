public import Logging
import Synchronization
public import Twill

/// Several reactors, each on a thread of its own, that share nothing.
///
/// ```swift
/// let group = try ReactorGroup(count: 4) { reactor, place in
///     try reactor.listenTCP(port: 8007, factory: Factory { Echo() })
/// }
/// try group.run()
/// ```
///
/// # Contract
/// - The closure is called once for each reactor, one after the other and on the thread that makes the group: each builds factories and services of its own.
///   It is `@Sendable`, so the compiler sees that they share only what may be shared.
/// - A TCP port that all of them listen on is one port with a socket for each, over which the system spreads the connections (`SO_REUSEPORT`); port 0 takes
///   the same free port for all. Where the system does not spread them, as on macOS, and for UNIX sockets and those that were handed down, it is
///   one socket, and whoever is free accepts.
/// - ``run()`` is the end of building: it runs the first reactor on the thread that calls it, and each other one on a new thread.
/// - When one reactor ends, for whatever reason, all are stopped. Signals are the caller's business: ``stop()`` may be called from anywhere.
///
/// Twisted has one reactor in a process.
public final class ReactorGroup: Sendable {
    /// The ways into the reactors, in their order.
    public let handles: [ReactorHandle]
    // They are made on one thread, and opened on it or on the one thread that `run` starts for each.
    private let reactors: [ReactorBound<LibeventReactor>]
    private let progress = Mutex(Progress())

    private struct Progress {
        var hasRun = false
        var running = 0
        var failure: (any Error)?
    }

    /// Makes reactors, and lets a closure set each of them up.
    ///
    /// - Parameters:
    ///   - count: how many; numbers below 1 count as 1.
    ///   - logger: where they log.
    ///   - setUp: opens ports and adds services.
    /// - Throws: ``/Twill/ReactorError`` where one can't be made; what the closure throws, and nothing is left of those before then.
    public convenience init(
        count: Int, logger: Logger = Logger(label: "twill"), setUp: @escaping @Sendable (LibeventReactor, ReactorPlace) throws -> Void
    ) throws {
        try self.init(count: count, logger: logger, sockets: SocketTable(), setUp: setUp)
    }

    init(
        count: Int, logger: Logger, sockets: SocketTable, setUp: (LibeventReactor, ReactorPlace) throws -> Void
    ) throws {
        let count = max(1, count)
        var reactors: [LibeventReactor] = []
        do {
            for number in 0..<count {
                let reactor = try LibeventReactor(logger: logger)
                let place = ReactorPlace(number: number, count: count)
                reactor.listeningSockets = sockets.source(for: place)
                reactors.append(reactor)
                try setUp(reactor, place)
            }
        } catch {
            for reactor in reactors { reactor.discard() }
            throw error
        }
        handles = reactors.map(\.handle)
        self.reactors = reactors.map { ReactorBound($0) }
    }

    deinit {
        // Ports hold their reactor, and it holds them.
        if !progress.withLock({ $0.hasRun }) { for reactor in reactors { reactor.value.discard() } }
    }

    /// How many reactors there are.
    public var count: Int { reactors.count }

    /// Runs all of them until they have stopped; once.
    ///
    /// - Throws: the first error that ended one; ``/Twill/ReactorError/alreadyRunning`` the second time.
    public func run() throws {
        let mayRun = progress.withLock { progress in
            defer { progress.hasRun = true }
            if !progress.hasRun { progress.running = reactors.count }
            return !progress.hasRun
        }
        guard mayRun else { throw ReactorError.alreadyRunning }
        let allEnded = Gate()
        for reactor in reactors.dropFirst() {
            do {
                try SystemThread.start { self.run(reactor, allEnded) }
            } catch {
                ended(.failure(error), allEnded)
            }
        }
        run(reactors[0], allEnded)
        allEnded.wait()
        if let failure = progress.withLock({ $0.failure }) { throw failure }
    }

    private func run(_ reactor: ReactorBound<LibeventReactor>, _ allEnded: Gate) {
        ended(Result { try reactor.value.run(installSignalHandlers: false) }, allEnded)
    }

    private func ended(_ result: Result<Void, any Error>, _ allEnded: Gate) {
        let isLast = progress.withLock { progress in
            progress.running -= 1
            if case .failure(let error) = result, progress.failure == nil { progress.failure = error }
            return progress.running == 0
        }
        stop()
        if isLast { allEnded.open() }
    }

    /// Stops all of them, from any thread.
    public func stop() {
        for handle in handles { handle.stop() }
    }

    /// What all of them have counted, added up; the delays are the longest of any.
    ///
    /// - Parameter reactor: one of them, on whose thread this is called.
    /// - Returns: fires when each has answered, on that thread; it never does where one has stopped meanwhile.
    public func statistics(on reactor: any Reactor) -> Deferred<ReactorStatistics> {
        let sum = StatisticsSum(missing: handles.count)
        let home = reactor.handle
        // Opened on the thread of the reactor that asks, and nowhere else.
        let bound = ReactorBound(sum)
        for handle in handles {
            handle.callFromThread { answering in
                let part = answering.statistics
                home.callFromThread { _ in bound.value.add(part) }
            }
        }
        return sum.outcome
    }
}

/// The statistics of several reactors, as they come in.
private final class StatisticsSum {
    let outcome = Deferred<ReactorStatistics>(canceller: { _ in })
    private var sum = ReactorStatistics()
    private var missing: Int

    init(missing: Int) {
        self.missing = missing
    }

    func add(_ part: ReactorStatistics) {
        sum.connections.add(part.connections)
        sum.loopLag = max(sum.loopLag, part.loopLag)
        sum.longestLoopLag = max(sum.longestLoopLag, part.longestLoopLag)
        sum.longestCallback = max(sum.longestCallback, part.longestCallback)
        missing -= 1
        if missing == 0, !outcome.hasFired { try? outcome.succeed(sum) }
    }
}
