import Twill

/// How a host's process ends without being asked.
public enum HostCrash: Sendable {
    /// The process is killed: its system closes the connections, whose peers see an end or a reset, and refuses new ones.
    case kill
    /// The whole host goes dark, as without power: nothing is answered, and nobody is told. Who sends on gives up after a quarter of an hour, or sees a
    /// reset once the host is back.
    case blackout
}

/// Hosts whose programs start, crash and start again.
///
/// ```swift
/// try network.boot("server") { reactor in
///     try reactor.listenTCP(port: 8007, factory: Chat())
/// }
/// network.after(.seconds(30)) { network.crash("server") }
/// network.after(.seconds(40)) { try network.restart("server") }
/// ```
extension SimulatedNetwork {
    /// Gives a host the program that it starts with: called now, and each time the host starts again, with a new reactor of the same name and address.
    ///
    /// What the program makes it must not keep from one start to the next, as a process can't; what is to outlive it, a disk for one, stands outside.
    ///
    /// - Throws: what the program throws. Where it does so on a later start, the running simulation throws it.
    public func boot(_ name: String, _ program: @escaping (SimulatedReactor) throws -> Void) throws {
        life.programs[name] = program
        try restart(name)
        lifeGoesOn()
    }

    /// Ends a host's process at once. Its protocols are not told, its timers are not called, what it has not sent is lost.
    ///
    /// ``host(_:)`` is the dead reactor until ``restart(_:)``. In a callback of that host's own, it happens on the next turn.
    public func crash(_ name: String, by crash: HostCrash = .kill) {
        guard let reactor = existingHost(name), !reactor.isDead else { return }
        let die = {
            reactor.note(crash == .kill ? .crashes : .goesDark)
            reactor.die(isDark: crash == .blackout)
        }
        if world.isLooping { world.after(.zero, die) } else { die() }
    }

    /// Sends SIGTERM to a host's process: its reactor stops, as `run()` does then. It starts again by ``restart(_:)``.
    public func terminate(_ name: String) {
        guard let reactor = existingHost(name), !reactor.isDead else { return }
        reactor.note(.terminates)
        reactor.stop()
    }

    /// Starts a host again: a new reactor of the same name and address, on which its program is called, if it has one. A process that still runs is killed
    /// first.
    ///
    /// - Throws: what the program throws.
    public func restart(_ name: String) throws {
        if let old = existingHost(name) {
            old.die(isDark: false)
            world.wiring.remove(old)
        }
        let reactor = replaceHost(name)
        world.wiring.comeBack(name)
        reactor.note(.boots)
        if let program = life.programs[name] { try program(reactor) }
    }

    /// Calls a step of the test's own after a delay: a fault that is no matter of chance, mostly. What it throws the running simulation throws.
    public func after(_ delay: Duration, _ step: @escaping () throws -> Void) {
        world.after(delay) { [unowned world] in world.attempt(step) }
    }

    /// Throws the dice for each host, once in a second, while the fault plan has something for hosts.
    func lifeGoesOn() {
        guard !life.isTicking, faults.concernsHosts, !life.programs.isEmpty else { return }
        life.isTicking = true
        world.after(.seconds(1), isWait: true) { [weak self] in
            guard let self else { return }
            life.isTicking = false
            for name in life.programs.keys.sorted() { strike(name) }
            lifeGoesOn()
        }
    }

    private func strike(_ name: String) {
        guard let host = existingHost(name), host.isRunning else { return }
        let plan = faults
        if host.draws.happens(.clockSteps, perMillion: plan.clockSteps) {
            let step = host.draws.random.duration(upTo: .seconds(7_200)) - .seconds(3_600)
            host.stepWallClock(by: step)
        }
        if host.draws.happens(.crashes, perMillion: plan.crashes) {
            crash(name)
        } else if host.draws.happens(.blackouts, perMillion: plan.blackouts) {
            crash(name, by: .blackout)
        } else if host.draws.happens(.terminations, perMillion: plan.terminations) {
            terminate(name)
        } else {
            return
        }
        let pause = host.draws.random.duration(upTo: plan.slownessMax)
        world.after(pause) { [weak self] in self?.startWhenEnded(name, host) }
    }

    private func startWhenEnded(_ name: String, _ old: SimulatedReactor) {
        // Somebody else may have started it meanwhile.
        guard existingHost(name) === old else { return }
        if old.isRunning {
            world.after(.milliseconds(100), isWait: true) { [weak self] in self?.startWhenEnded(name, old) }
        } else {
            world.attempt { try restart(name) }
        }
    }
}

/// What a network knows of its hosts' programs.
struct HostLife {
    var programs: [String: (SimulatedReactor) throws -> Void] = [:]
    var isTicking = false
}

extension FaultPlan {
    /// Whether anything befalls whole hosts.
    fileprivate var concernsHosts: Bool { crashes > 0 || blackouts > 0 || terminations > 0 || clockSteps > 0 }
}
