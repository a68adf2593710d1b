/// Shares the reactor's thread among pieces of work that are too long for one turn: each makes a small step when it is its turn.
///
/// ```swift
/// let cooperator = Cooperator(on: reactor)
/// var sum = 0
/// let adding = cooperator.cooperate((1...1_000_000).lazy.map { sum += $0 })
/// adding.whenDone().addCallback { print("all of them make \(sum)") }
/// ```
///
/// # Contract
/// - On each turn of the reactor, it goes round and has every task make one step, until a slice of time has gone: 10 ms unless told otherwise. The
///   next turn goes on where it stopped. So connections are served between two slices.
/// - No step is made from inside `cooperate`; the first one is on the next turn.
/// - The slice is of the reactor's time. Where that stands still, as in a test, one slice lasts until nothing is left to do.
/// - While there is work, the reactor holds it. When the reactor goes, the work stays undone.
///
/// Twisted: `Cooperator`, `cooperate`, `coiterate`.
public final class Cooperator {
    private weak var reactor: (any Reactor)?
    private let slice: Duration
    private var line = WaitingLine<CooperativeTask>()
    private var tasks: [ObjectIdentifier: WeakTask] = [:]
    private var timer: DelayedCall?

    private struct WeakTask {
        weak var task: CooperativeTask?
    }

    /// Whether it was stopped.
    public private(set) var isStopped = false

    /// Makes one that works in slices of so much time.
    public init(on reactor: any Reactor, slice: Duration = .milliseconds(10)) {
        self.reactor = reactor
        self.slice = slice
    }

    /// Has a call made again and again until it says that it was the last time. Twisted: `cooperate`.
    @discardableResult
    public func cooperate(_ step: @escaping () throws -> CooperativeStep) -> CooperativeTask {
        let task = CooperativeTask(self, step)
        if isStopped {
            task.stop()
        } else {
            tasks[ObjectIdentifier(task)] = WeakTask(task: task)
            lineUp(task)
        }
        return task
    }

    /// Takes one element after the other, at which a lazy sequence does its work, and drops them.
    @discardableResult
    public func cooperate<Steps: Sequence>(_ steps: Steps) -> CooperativeTask {
        var iterator = steps.makeIterator()
        return cooperate { iterator.next() == nil ? .finished : .goOn }
    }

    /// Takes one Deferred after the other, each when the one before has fired.
    @discardableResult
    public func cooperate<Steps: Sequence, Ignored>(_ steps: Steps) -> CooperativeTask where Steps.Element == Deferred<Ignored> {
        var iterator = steps.makeIterator()
        return cooperate {
            guard let next = iterator.next() else { return .finished }
            return .wait(next.addCallback { _ in })
        }
    }

    /// Stops every task, and every one that comes later. Twisted: `stop`.
    public func stop() {
        isStopped = true
        timer?.cancelIfActive()
        timer = nil
        line = WaitingLine()
        let tasks = tasks.values
        self.tasks = [:]
        for weak in tasks { weak.task?.stop() }
    }

    /// Gives a task its turn, if it may make a step.
    func lineUp(_ task: CooperativeTask) {
        guard task.isReady, task.cooperator != nil else { return }
        task.cooperator = nil
        line.append(task)
        awaitNextTurn()
    }

    /// Knows of a task no longer.
    func forget(_ task: CooperativeTask) {
        tasks[ObjectIdentifier(task)] = nil
    }

    private func awaitNextTurn() {
        guard timer == nil, !line.isEmpty, let reactor else { return }
        timer = reactor.callLater(.zero) { self.goRound() }
    }

    private func goRound() {
        guard let reactor else { return }
        let end = reactor.now.advanced(by: slice)
        while let task = line.popFirst() {
            task.cooperator = self
            if task.isDone { forget(task) }
            task.makeStep()
            lineUp(task)
            if reactor.now >= end { break }
        }
        timer = nil
        awaitNextTurn()
    }
}
