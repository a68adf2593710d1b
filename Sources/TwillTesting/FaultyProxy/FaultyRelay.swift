import Logging
import Twill

/// What the connections of a proxy share. It makes one for each client that is accepted.
final class FaultyRelay: Factory {
    let target: any StreamClientEndpoint
    let seed: UInt64
    var plan: FaultPlan
    var answers: FaultPlan?
    var segmentBytes = 256
    var pauseBetweenPieces = Duration.milliseconds(1)
    var vanishedMax = Duration.seconds(15 * 60)
    var whenFault: ((FaultyProxy.Event) -> Void)?
    var statistics = FaultyProxy.Statistics()
    /// Nothing but chance decides here.
    private let faults = FaultSwitch()
    /// Those that are there still; each is let go when both of its sides are lost.
    private var connections: [Int: FaultyConnection] = [:]
    /// The reactor holds its ports' factories.
    private unowned let reactor: any Reactor

    init(reactor: any Reactor, target: any StreamClientEndpoint, plan: FaultPlan, answers: FaultPlan?, seed: UInt64) {
        self.reactor = reactor
        self.target = target
        self.plan = plan
        self.answers = answers
        self.seed = seed
        super.init()
    }

    override func buildProtocol(_ address: Address) -> Protocol? {
        statistics.connections += 1
        statistics.open += 1
        let connection = FaultyConnection(number: statistics.connections, relay: self, reactor: reactor)
        connections[connection.number] = connection
        return connection.accepting()
    }

    func plan(_ direction: FaultyProxy.Direction) -> FaultPlan {
        direction == .toServer ? plan : answers ?? plan
    }

    /// The chances of one direction of a connection.
    func draws(_ direction: FaultyProxy.Direction, ofConnection number: Int) -> FaultDraws {
        FaultDraws(random: SimulatedRandom(seed: seed, name: "\(direction.rawValue)#\(number)"), faults: faults)
    }

    /// Tells of a fault that happens now.
    func note(_ event: FaultyProxy.Event) {
        statistics.faults[event.fault, default: 0] += 1
        reactor.logger.debug("\(event)")
        whenFault?(event)
    }

    func passed(_ count: Int, _ direction: FaultyProxy.Direction) {
        switch direction {
        case .toServer: statistics.bytesToServer += count
        case .toClient: statistics.bytesToClient += count
        }
    }

    func isOver(_ connection: FaultyConnection) {
        guard connections.removeValue(forKey: connection.number) != nil else { return }
        statistics.open -= 1
    }

    func resetAll() {
        for connection in connections.values { connection.resetNow() }
    }
}
