import Twill

/// The endpoint of `--admin`: it answers `/live`, `/ready` and `/metrics`, to this machine alone.
///
/// It is no part of the tree that is drained, so it answers until the end: that the program is not ready any more is what balancers want to hear.
final class AdminService: StreamServerEndpointService {
    /// More than any monitoring needs.
    private static let connectionsMax = 64

    /// - Parameters:
    ///   - isServing: whether the program serves.
    ///   - statistics: what all reactors have counted, and how many there are.
    init(
        _ description: String, isServing: @escaping () -> Bool,
        statistics: @escaping (any Reactor) -> (sum: Deferred<ReactorStatistics>, count: Int)
    ) throws(EndpointError) {
        let factory = AdminFactory(isServing: isServing, statistics: statistics)
        super.init(try serverFromString(description), factory: factory, name: "admin")
        connectionsMax = Self.connectionsMax
    }

    override var waitsForOthers: Bool { false }

    override func privilegedStartService() throws {
        try super.privilegedStartService()
        factory(for: reactor)
        guard let address, address.isOfThisMachine else {
            let place = address.map { "\($0)" } ?? "\(endpoint)"
            port?.stopListening()
            throw RunnerFailure(
                .configuration, "The admin endpoint would be on \(place), for everybody: give unix:PATH or tcp:127.0.0.1:PORT")
        }
    }

    private func factory(for reactor: any Reactor) {
        (servedFactory as? AdminFactory)?.begin(on: reactor)
    }
}

/// Makes the protocols of the admin endpoint.
private final class AdminFactory: Factory {
    private let isServing: () -> Bool
    private let statistics: (any Reactor) -> (sum: Deferred<ReactorStatistics>, count: Int)
    private weak var reactor: (any Reactor)?
    private var began = ReactorClock.Instant(nanoseconds: 0)

    init(isServing: @escaping () -> Bool, statistics: @escaping (any Reactor) -> (sum: Deferred<ReactorStatistics>, count: Int)) {
        (self.isServing, self.statistics) = (isServing, statistics)
        super.init()
    }

    func begin(on reactor: any Reactor) {
        self.reactor = reactor
        began = reactor.now
    }

    override func buildProtocol(_ address: Address) -> Protocol? {
        AdminProtocol { [weak self] in self?.answer($0) ?? .fail(ReactorError.gone) }
    }

    private func answer(_ path: Substring) -> Deferred<AdminAnswer> {
        switch path {
        case "/live": return .succeed(AdminAnswer(text: "live\n"))
        case "/ready":
            return .succeed(
                isServing() ? AdminAnswer(text: "ready\n") : AdminAnswer(status: "503 Service Unavailable", text: "not ready\n"))
        case "/metrics":
            guard let reactor else { return .fail(ReactorError.gone) }
            let (sum, count) = statistics(reactor)
            let (isServing, uptime) = (isServing(), began.duration(to: reactor.now))
            return sum.addCallback { statistics in
                let text = MetricsText.write(statistics, reactors: count, isServing: isServing, uptime: uptime)
                return AdminAnswer(type: MetricsText.type, text: text)
            }
        default: return .succeed(AdminAnswer(status: "404 Not Found", text: "there are /live, /ready and /metrics\n"))
        }
    }
}

extension Address {
    /// Whether nobody from outside can come here.
    fileprivate var isOfThisMachine: Bool {
        switch self {
        case .unix: true
        case .ipv4, .ipv6: host == "::1" || host.hasPrefix("127.") || host.hasPrefix("::ffff:127.")
        case .pipe, .unknown: false
        }
    }
}
