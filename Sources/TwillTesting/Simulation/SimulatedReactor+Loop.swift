import Twill

/// The reactor's part in the loop, of which the world makes the turns.
extension SimulatedReactor {
    /// When its next timer is due.
    var nextTime: ReactorClock.Instant { isRunning ? timers.nextTime : .never }

    /// Makes a call on the next turn, before anything else.
    func later(_ call: @escaping () -> Void) {
        soon.append(call)
        hasWork = true
    }

    /// Begins to run, unless it does.
    func begin() {
        guard !isRunning, !isDead, !world.isLooping || isNew else { return }
        isNew = false
        isRunning = true
        perform { self.events.fire(.startup) {} }
        for port in ports { port.acceptLater() }
        if isStopRequested { later { self.shutDown() } }
        // What was put off while it did not run.
        if hasWork { world.hasWork = true }
    }

    /// Runs a callback as a loop does: it ends by running the tasks that it made ready, and by sending what it and they wrote.
    func perform(_ callback: () -> Void) {
        world.enter(self)
        callback()
        // Those that are left have their turn after what else is ready.
        if handle.hasJobs, !handle.runJobs() { hasWork = true }
        if !staged.isEmpty { flushStaged() }
    }

    private func flushStaged() {
        // A producer that is paused now may write a last word to another connection.
        var index = 0
        while index < staged.count {
            staged[index].flush()
            index += 1
        }
        staged.removeAll(keepingCapacity: true)
    }

    func finishWhatWasPutOff() {
        guard isRunning, hasWork else { return }
        hasWork = false
        perform {}
        let visited = visits
        visits = []
        for transport in visited { perform { transport.visit() } }
        let calls = soon
        soon = []
        for call in calls { perform(call) }
    }

    func fireTimers() {
        guard isRunning, timers.nextTime <= world.now else { return }
        for call in timers.takeDue() {
            if call.time > world.now { world.violated("\(name): a timer fired early") }
            note(.timer)
            perform { guarded("a delayed call") { try call.fire() } }
        }
    }

    func hearCalls() {
        guard isRunning else { return }
        for call in handle.takeCalls() {
            perform { guarded("a call from a thread") { try call.value(self) } }
        }
        if handle.hasJobs { perform {} }
    }

    func shutDown() {
        guard !isShuttingDown else { return }
        isShuttingDown = true
        events.fire(.shutdown) {
            self.handle.cancelTasks()
            self.closeEverything()
            self.later { self.end() }
        }
    }

    private func end() {
        // Those that were started since come to their ends, too.
        handle.cancelTasks()
        perform {}
        isRunning = false
        isStopRequested = false
        isShuttingDown = false
    }
}
