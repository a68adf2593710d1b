import Twill

/// Looks names up in the simulation, for one host.
final class SimulatedResolver: Resolver {
    // The reactor holds its resolver.
    private unowned let loop: SimulatedReactor

    init(_ loop: SimulatedReactor) {
        self.loop = loop
    }

    func resolve(
        _ name: String, on reactor: any Reactor, completion: @escaping (Result<[Address], ResolveError>) -> Void
    ) -> () -> Void {
        let plan = loop.world.wiring.faults
        let isLocal = name == "localhost"
        let isUnknown = !isLocal && loop.draws.happens(.unknownNames, perMillion: plan.unknownNames)
        var delay = Duration.zero
        if !isLocal, loop.draws.happens(.slowNames, perMillion: plan.slowNames) {
            delay = loop.draws.random.duration(upTo: plan.slownessMax)
            loop.note(.slowName, Int(delay.nanoseconds))
        }
        let call = reactor.callLater(delay) { [unowned loop] in
            if isLocal { return completion(.success([.ipv4(.loopback)])) }
            guard !isUnknown, let addresses = loop.world.wiring.names[name] else {
                loop.note(.unknownName)
                return completion(.failure(ResolveError(name: name, message: "the simulated network has no such host")))
            }
            completion(.success(addresses))
        }
        return { call.cancelIfActive() }
    }
}
