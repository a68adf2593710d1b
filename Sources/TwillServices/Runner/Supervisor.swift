import Logging
import Synchronization
import Twill

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Watches over the trees of services of a program, one for each reactor: starts them, tells whoever waits that they serve, reloads, drains and stops them
/// at signals, and knows what the process ends with.
///
/// | phase      | all have started | one failed to start | first signal | second signal | a reactor ends |
/// |------------|------------------|---------------------|--------------|---------------|----------------|
/// | `starting` | `serving`        | `ending`            | `draining`   | -             | `ending`       |
/// | `serving`  | -                | -                   | `draining`   | -             | `ending`       |
/// | `draining` | -                | -                   | -            | cut short     | `ending`       |
///
/// It is told things on every thread; each tree is touched on its reactor's alone.
final class Supervisor: Sendable {
    /// How long services may take to stop when everything under way has ended.
    private static let stopLimit = Duration.seconds(10)
    /// The same when a second signal has asked for haste.
    private static let hastyStopLimit = Duration.seconds(1)

    private enum Phase {
        case starting, serving, draining, ending
    }

    /// A reactor and its services.
    typealias Tree = (handle: ReactorHandle, tree: ReactorBound<ServiceTree>)

    private struct Progress {
        var phase = Phase.starting
        var started = 0
        var drained = 0
        var failure: (any Error)?
        /// The signal that asked for the end.
        var signal: CInt?
        /// Another one that has cut the drain short.
        var secondSignal: CInt?
        /// Whether another process has taken over.
        var wasSucceeded = false
        /// Each reactor's way in and its tree, which is opened on its thread.
        var trees: [Tree] = []
        /// The reactors, once they run.
        var group: ReactorGroup?
    }

    private let name: String
    private let log: LogDestination
    private let manager: ServiceManager?
    private let report: Daemon.Report?
    private let drainTimeout: Duration
    private let possessions: Possessions
    private let takesOver: Bool
    private let progress = Mutex(Progress())
    private let reloading = Reloading()

    init(
        name: String, log: LogDestination, manager: ServiceManager?, report: Daemon.Report?, drainTimeout: Duration,
        possessions: Possessions, takesOver: Bool
    ) {
        (self.name, self.log, self.manager, self.report, self.drainTimeout) = (name, log, manager, report, drainTimeout)
        (self.possessions, self.takesOver) = (possessions, takesOver)
    }

    private var logger: Logger { Logger(label: name) }

    /// Whether all services run, and none is asked to end.
    var isServing: Bool { progress.withLock { $0.phase == .serving } }

    /// What all reactors have counted, asked for on the thread of one of them, and how many they are.
    func statistics(on reactor: any Reactor) -> (sum: Deferred<ReactorStatistics>, count: Int) {
        guard let group = progress.withLock({ $0.group }) else { return (.fail(ReactorError.gone), 0) }
        return (group.statistics(on: reactor), group.count)
    }

    /// Takes a tree whose ports are bound, before its reactor runs.
    ///
    /// - Parameter admin: a service that is started before the tree and stopped after it.
    func add(_ root: MultiService, on reactor: any Reactor, admin: Service? = nil) {
        let tree = ServiceTree(root)
        let entry = (handle: reactor.handle, tree: ReactorBound(tree))
        progress.withLock { $0.trees.append(entry) }
        reactor.callWhenRunning { [weak reactor] in
            guard let reactor else { return }
            do {
                try admin?.start()
                try root.start()
                self.treeStarted(on: reactor)
            } catch {
                self.treeFailed(error)
            }
        }
        reactor.addSystemEventTrigger(waitingBefore: .shutdown) { [weak reactor] in
            guard let reactor else { return nil }
            let limit = self.progress.withLock { $0.secondSignal == nil } ? Self.stopLimit : Self.hastyStopLimit
            tree.stopping = root.stop().addTimeout(limit, on: reactor).addErrback { [weak reactor] error in
                let problem = error as? DeferredError == .cancelled ? "took too long to stop" : "\(error)"
                reactor?.logger.error("services \(problem)")
            }.addCallback { () -> Deferred<Void> in admin?.stop() ?? .succeed(()) }
            return tree.stopping
        }
    }

    /// Stops the trees of a program that will not run after all; called on the thread on which they were made.
    func abandon() {
        for (_, tree) in progress.withLock({ $0.trees }) { tree.value.root.stop().addErrback { self.logger.error("\($0)") } }
    }

    /// Obeys signals from now on.
    func listen(to signals: ProcessSignals) throws(SystemError) {
        try signals.listen { number in
            if number == SIGHUP { self.reload() } else { self.received(number) }
        }
    }

    /// Runs the reactors until all is over; what the process ends with.
    ///
    /// - Throws: what kept a service from starting; what ended a reactor.
    func run(_ group: ReactorGroup) throws -> ExitStatus {
        progress.withLock { $0.group = group }
        defer {
            let wasSucceeded = progress.withLock { progress in
                progress.group = nil
                return progress.wasSucceeded
            }
            if !wasSucceeded { manager?.tell("STOPPING=1") }
        }
        try group.run()
        let (failure, signal, second) = progress.withLock { ($0.failure, $0.signal, $0.secondSignal) }
        if let failure { throw failure }
        logger.info("\(name) has ended")
        if let second { return .signal(second) }
        return signal == SIGINT ? .signal(SIGINT) : .success
    }

    // The start.

    private func treeStarted(on reactor: any Reactor) {
        let areAllStarted = progress.withLock { progress in
            progress.started += 1
            return progress.started == progress.trees.count && progress.phase == .starting
        }
        guard areAllStarted else { return }
        for (handle, tree) in progress.withLock({ $0.trees }) { handle.callFromThread { _ in tree.value.root.sockets?.letGo() } }
        guard takesOver, let path = possessions.handoverPath else { return serve(on: reactor) }
        HandoverClient.announce(at: path, on: reactor).addBoth { result in
            if case .failure(let error) = result { self.logger.warning("the process before this one did not say goodbye: \(error)") }
            do {
                try self.possessions.takePIDFile()
            } catch {
                // The other one has gone, or goes: somebody has to serve.
                self.logger.error("\(error)")
            }
            self.serve(on: reactor)
        }
    }

    /// Tells whoever waits that the program serves, and lets the next one come.
    private func serve(on reactor: any Reactor) {
        let isFirst = progress.withLock { progress in
            guard progress.phase == .starting else { return false }
            progress.phase = .serving
            return true
        }
        guard isFirst else { return }
        offerHandover(on: reactor)
        logger.info("\(name) serves")
        manager?.tell("READY=1\nMAINPID=\(System.processID)")
        report?.succeeded()
        if let interval = manager?.watchdogInterval { watch(every: interval / 2, on: reactor) }
    }

    /// Waits for a next process that takes over.
    private func offerHandover(on reactor: any Reactor) {
        guard let path = possessions.handoverPath else { return }
        let root = MultiService(on: reactor)
        let service = HandoverService(path: path, table: possessions.table) {
            self.possessions.letNextHaveThem()
            self.wasSucceeded()
        }
        do {
            try root.add(service)
            try root.start()
            reactor.addSystemEventTrigger(waitingBefore: .shutdown) { root.stop() }
        } catch {
            logger.error("nobody can take over from this process: \(error)")
        }
    }

    private func treeFailed(_ error: any Error) {
        let handles = progress.withLock { progress in
            if progress.failure == nil, progress.phase == .starting { progress.failure = error }
            progress.phase = .ending
            return progress.trees.map(\.handle)
        }
        for handle in handles { handle.stop() }
    }

    /// Tells the manager that all is well for as long as every reactor answers.
    private func watch(every interval: Duration, on reactor: any Reactor) {
        let heart = Heart(progress.withLock { $0.trees.map(\.handle) })
        guard let manager else { return }
        let loop = LoopingCall(on: reactor) {
            if heart.beat() { manager.tell("WATCHDOG=1") }
        }
        _ = try? loop.start(interval)
    }

    // While it runs.

    private func reload() {
        reopenLog()
        let trees = progress.withLock { $0.phase == .ending ? [] : $0.trees }
        reloading.reload(trees) { begins in
            // Nobody is told that a program is ready which is not yet, or no more.
            guard self.isServing else { return }
            self.manager?.tell(begins ? "RELOADING=1\nMONOTONIC_USEC=\(System.monotonicMicroseconds)" : "READY=1")
        }
    }

    private func reopenLog() {
        do {
            try log.reopen()
            logger.notice("the log was opened anew")
        } catch {
            logger.error("the log could not be opened anew: \(error)")
        }
    }

    // The end.

    private func received(_ signal: CInt) {
        let (isFirst, wasSucceeded, trees) = progress.withLock { progress in
            let isFirst = progress.signal == nil
            if isFirst { progress.signal = signal } else if progress.secondSignal == nil { progress.secondSignal = signal }
            if progress.phase != .ending { progress.phase = .draining }
            return (isFirst, progress.wasSucceeded, progress.trees)
        }
        let name = signal == SIGINT ? "SIGINT" : "SIGTERM"
        if isFirst {
            logger.notice("\(name): draining for at most \(drainTimeout)")
            if !wasSucceeded { manager?.tell("STOPPING=1") }
        } else {
            logger.warning("\(name) again: what is under way is broken off")
        }
        drain(trees, within: isFirst ? drainTimeout : .zero)
    }

    /// The next process serves: this one drains.
    private func wasSucceeded() {
        logger.notice("another process has taken over: draining for at most \(drainTimeout)")
        // The manager hears nothing of it: what it watches over goes on, as another process.
        let trees = progress.withLock { progress in
            progress.wasSucceeded = true
            if progress.phase != .ending { progress.phase = .draining }
            return progress.trees
        }
        drain(trees, within: drainTimeout)
    }

    /// Drains all trees; in no time where there is haste.
    private func drain(_ trees: [Tree], within limit: Duration) {
        for (handle, tree) in trees {
            handle.callFromThread { reactor in
                let tree = tree.value
                tree.root.drain(deadline: reactor.now.advanced(by: limit)).addBoth { _ in self.drained(tree) }
                // Services that stop already have begun with more time than there is now.
                if limit == .zero { reactor.callLater(Self.hastyStopLimit) { tree.stopping?.cancel() } }
            }
        }
    }

    /// Stops all reactors when the last tree has drained: one that stopped earlier would take the time from the others.
    private func drained(_ tree: ServiceTree) {
        guard !tree.hasDrained else { return }
        tree.hasDrained = true
        let handles = progress.withLock { progress -> [ReactorHandle] in
            progress.drained += 1
            return progress.drained == progress.trees.count ? progress.trees.map(\.handle) : []
        }
        for handle in handles { handle.stop() }
    }
}

/// The services of one reactor.
final class ServiceTree {
    let root: MultiService
    /// Their stop, once it is under way.
    var stopping: Deferred<Void>?
    var hasDrained = false

    init(_ root: MultiService) {
        self.root = root
    }
}
