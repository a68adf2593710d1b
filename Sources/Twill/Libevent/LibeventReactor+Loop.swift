/// The loop itself, and what a turn does besides waiting.
extension LibeventReactor {
    public func run(installSignalHandlers: Bool) throws {
        guard !isRunning else { throw ReactorError.alreadyRunning }
        try begin(installSignalHandlers: installSignalHandlers)
        defer { end() }
        while !leavesLoop {
            try turn()
        }
    }

    /// One turn; ``Reactor`` documents its order.
    private func turn() throws {
        if hasWork { finishWhatWasPutOff() }
        if hasReleased { letReleasedGo() }
        if timers.nextTime != alarmTime { try setAlarm() }
        callbackBegan = 0
        try base.turn(waiting: !hasWork)
        beginCallback()
        if alarmRang { fireTimers() }
        if bellRang { hearBell() }
    }

    private func setAlarm() throws {
        alarmTime = timers.nextTime
        if alarmTime == .never {
            alarm?.switchOff()
        } else {
            try alarm?.set(after: clock.now.duration(to: alarmTime))
        }
    }

    private func begin(installSignalHandlers: Bool) throws {
        if installSignalHandlers {
            do {
                signalBell = try Bell(loop: self, descriptor: StopSignals.descriptor())
            } catch {
                throw ReactorError.loopFailed(error)
            }
            StopSignals.subscribe(handle)
        }
        isRunning = true
        leavesLoop = false
        jobs.enter()
        events.fire(.startup) {}
        // What was written here, or between two runs, has no callback that could send it.
        endCallback()
        if isStopRequested { later { self.shutDown() } }
    }

    private func end() {
        if isShuttingDown {
            // Those that were started since come to their ends, too.
            handle.cancelTasks()
            endCallback()
        }
        isRunning = false
        jobs.leave()
        isStopRequested = false
        hasClosedEverything = false
        if signalBell != nil {
            StopSignals.unsubscribe(handle)
            signalBell = nil
        }
        released.removeAll()
        guard isShuttingDown else { return }
        isShuttingDown = false
        // All of them have ended.
        visits.removeAll()
        // libevent frees what was let go on its next turn only. After a crash there is nothing to free, and callbacks must not run.
        try? base.turn(waiting: false)
        // That turn may have taken the alarm, and made no call for it: another run sets it anew.
        alarmTime = .never
    }

    /// Ends what the last turn asked to end, and makes the calls that it put off; outside of every callback.
    private func finishWhatWasPutOff() {
        hasWork = false
        if jobs.hasMore { endCallback() }
        if !floodedPorts.isEmpty { takeFromFloodedPorts() }
        if !visits.isEmpty {
            let transports = visits
            visits.removeAll(keepingCapacity: true)
            for transport in transports {
                transport.visit()
                endCallback(of: transport)
            }
        }
        if !soon.isEmpty {
            let calls = soon
            soon.removeAll(keepingCapacity: true)
            for call in calls {
                call()
                endCallback()
            }
        }
    }

    private func fireTimers() {
        alarmRang = false
        // It may have gone off a little early; then it is set to the same time again.
        alarmTime = .never
        let calls = timers.takeDue()
        for (number, call) in calls.enumerated() {
            // The others' time is known already, roughly: it is when the one before ended.
            noteLag(of: call, at: number == 0 ? clock.now : ReactorClock.Instant(nanoseconds: callbackBegan))
            guarded("a delayed call") { try call.fire() }
            endCallback()
        }
    }

    /// Makes the calls that other threads handed in, and obeys the signals.
    private func hearBell() {
        bellRang = false
        _ = wakeUp.silence()
        for call in handle.takeCalls() {
            guarded("a call from a thread") { try call.value(self) }
            endCallback()
        }
        if jobs.hasMore { endCallback() }
        if signalBell != nil { StopSignals.dispatch() }
    }

    private func letReleasedGo() {
        hasReleased = false
        released.removeAll(keepingCapacity: true)
    }

    /// Closes what was opened on a reactor that will not run after all: none of the calls that wait for its start, or its end, is made.
    package func discard() {
        events.removeAll()
        stop()
        try? run(installSignalHandlers: false)
    }

    /// Tells everyone, closes everything, and leaves the loop.
    func shutDown() {
        guard !isShuttingDown else { return }
        isShuttingDown = true
        events.fire(.shutdown) {
            self.handle.cancelTasks()
            self.closeEverything()
            self.later { self.crash() }
        }
    }
}
