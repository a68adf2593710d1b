import Twill

/// What a test does to its network.
extension SimulatedNetwork {
    /// What goes wrong between any two hosts that have no plan of their own; nothing unless set. It holds for what happens from now on.
    public var faults: FaultPlan {
        get { world.wiring.faults }
        set {
            world.wiring.faults = newValue
            lifeGoesOn()
        }
    }

    /// Sets what goes wrong on the way from one host to another. Attempts to connect go by the plan of the way to the server.
    public func setFaults(_ plan: FaultPlan, from: String, to: String) {
        world.wiring.set(plan, from: from, to: to)
    }

    /// Holds everything up that is sent from one host to another, until ``release(from:to:)``. Nothing is lost, but who sends gives up after a
    /// quarter of an hour.
    public func hold(from: String, to: String) {
        world.wiring.link(from: from, to: to).hold()
    }

    /// Lets arrive what was held up, and what is sent from now on.
    public func release(from: String, to: String) {
        world.wiring.link(from: from, to: to).release()
    }

    /// Cuts two hosts off from each other, in both directions, until ``heal()``: ``hold(from:to:)`` both ways.
    public func partition(_ one: String, _ other: String) {
        hold(from: one, to: other)
        hold(from: other, to: one)
    }

    /// Ends all faults: what was held up arrives, rules are removed, hosts that have a program and are down start again within their time, and nothing
    /// goes wrong any more. Connections that were lost stay so.
    public func heal() {
        world.wiring.heal()
        for host in sortedHosts { host.shortageEnd = world.now }
    }
}
