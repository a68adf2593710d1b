import Twill

/// The end of a host's process that nobody was asked about.
extension SimulatedReactor {
    /// Ends everything at once. No protocol, factory or trigger is told, and what was not sent is lost.
    ///
    /// - Parameter isDark: whether the others are told nothing either; else the system closes what the process had open.
    func die(isDark: Bool) {
        guard !isDead else { return }
        isDead = true
        isRunning = false
        isStopRequested = false
        isShuttingDown = false
        var sockets = ports.flatMap { $0.die() }
        ports = []
        for port in datagramPorts { port.die() }
        datagramPorts = []
        for dialer in dialers { dialer.die() }
        dialers = []
        for case let transport? in transports {
            sockets.append(transport.socket)
            transport.die()
        }
        transports = []
        freeSlots = []
        timers.removeAll()
        (soon, visits, staged) = ([], [], [])
        hasWork = false
        events.removeAll()
        for socket in sockets {
            if isDark { socket.goDark() } else { socket.close() }
        }
        if isDark { world.wiring.goDark(name, sockets) }
        // A task can't be killed. It ends where it waits, and what it does from there reaches nobody.
        world.visit(self) {
            handle.cancelTasks()
            while handle.hasJobs { _ = handle.runJobs() }
        }
        (soon, visits, staged) = ([], [], [])
        timers.removeAll()
    }
}
