public import CoreMetrics
public import Twill
public import TwillServices

/// Hands what its reactor has counted to [swift-metrics](https://github.com/apple/swift-metrics), again and again.
///
/// ```swift
/// try services.add(MetricsService())               // once your backend has called MetricsSystem.bootstrap
/// ```
///
/// The names are those of the admin endpoint's `/metrics`; each has a dimension `reactor`, with the number of the service's place, and those of connections that
/// have ended another one, `reason`. It is added on every reactor. A first time when it starts, then at the moments of a grid, and a last time when it
/// stops.
///
/// Twisted has none.
public final class MetricsService: Service {
    /// The time from one handing over to the next.
    public let interval: Duration
    private let factory: (any MetricsFactory)?
    private var loop: LoopingCall?
    private var gauges: [String: Recorder] = [:]
    private var counters: [String: Counter] = [:]
    /// What was handed over of each counter.
    private var counted: [String: Double] = [:]

    /// Makes a service that hands over what it finds.
    ///
    /// - Parameters:
    ///   - interval: ten seconds unless given.
    ///   - factory: where to; the one that the program was set up with unless given.
    public init(name: String? = nil, every interval: Duration = .seconds(10), factory: (any MetricsFactory)? = nil) {
        self.interval = interval
        self.factory = factory
        super.init(name: name)
    }

    public override func startService() throws {
        let loop = LoopingCall(on: reactor) { [weak self] in self?.handOver() }
        self.loop = loop
        try loop.start(interval)
    }

    public override func stopService() throws -> Deferred<Void>? {
        guard let loop = loop.take() else { return nil }
        loop.stop()
        handOver()
        return nil
    }

    private func handOver() {
        for sample in MetricSample.all(of: reactor.statistics) {
            let key = "\(sample.name) \(sample.reason ?? "")"
            switch sample.kind {
            case .gauge: gauge(key, sample).record(sample.value)
            case .counter:
                let added = sample.value - counted[key, default: 0]
                counter(key, sample).increment(by: Int64(added))
                counted[key] = sample.value
            }
        }
    }

    private func dimensions(of sample: MetricSample) -> [(String, String)] {
        [("reactor", "\(place.number)")] + (sample.reason.map { [("reason", $0)] } ?? [])
    }

    private func gauge(_ key: String, _ sample: MetricSample) -> Recorder {
        if let known = gauges[key] { return known }
        let made = Gauge(label: sample.name, dimensions: dimensions(of: sample), factory: factory ?? MetricsSystem.factory)
        gauges[key] = made
        return made
    }

    private func counter(_ key: String, _ sample: MetricSample) -> Counter {
        if let known = counters[key] { return known }
        let made = Counter(label: sample.name, dimensions: dimensions(of: sample), factory: factory ?? MetricsSystem.factory)
        counters[key] = made
        return made
    }
}
