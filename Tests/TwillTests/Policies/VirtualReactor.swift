import Logging

import class TwillTesting.ManualClock

@testable import Twill
@testable import TwillTesting

/// A reactor without a network, whose time stands still until the test moves it. It has timers and nothing else.
final class VirtualReactor: Reactor {
    private let manual = ManualClock()
    private let timers: TimerQueue
    let clock: ReactorClock
    let handle = ReactorHandle {}
    let threadPool = ThreadPool()
    let log = RecordedLog()
    var logger: Logger
    let isRunning = true
    let statistics = ReactorStatistics()
    var randomNumbers: any RandomNumberGenerator = SeededGenerator(seed: 1)
    private var connections: [VirtualTransport] = []

    init() {
        clock = manual.clock(of: handle)
        timers = TimerQueue(clock: clock)
        logger = log.logger
    }

    var wallTime: Duration { now.duration(to: now) }

    var resolver: any Resolver {
        get { unavailable() }
        set { unavailable() }
    }

    /// Ends every connection and every delayed call, as a reactor that stops does. A connection and its protocol hold each other until then.
    func end() {
        for connection in connections { connection.lose(.reactorStopped) }
        connections = []
        timers.removeAll()
    }

    /// Remembers a connection, to end it.
    func add(_ connection: VirtualTransport) { connections.append(connection) }

    @discardableResult
    func callLater(_ delay: Duration, _ call: @escaping () throws -> Void) -> DelayedCall {
        timers.add(after: delay, call)
    }

    var delayedCalls: [DelayedCall] { timers.calls }

    /// Moves the time on, and makes the calls that are due on the way, each at its time.
    func advance(by duration: Duration) throws {
        let end = now.advanced(by: duration)
        repeat {
            let next = max(now, min(timers.nextTime, end))
            manual.advance(by: now.duration(to: next))
            for call in timers.takeDue() { try call.fire() }
        } while now < end || timers.nextTime <= end
    }

    /// Lets time go by inside a call.
    func pass(_ duration: Duration) { manual.advance(by: duration) }

    /// Moves the time on at once, as if the reactor had been busy meanwhile, and makes the calls that are late.
    func jump(by duration: Duration) throws {
        manual.advance(by: duration)
        for call in timers.takeDue() { try call.fire() }
    }

    private func unavailable() -> Never { fatalError("a virtual reactor has timers and nothing else") }

    func run(installSignalHandlers: Bool) { unavailable() }
    func stop() { unavailable() }
    func crash() { unavailable() }
    func callWhenRunning(_ call: @escaping () throws -> Void) { unavailable() }
    func addSystemEventTrigger(
        _ phase: SystemEventPhase, _ event: SystemEvent, call: @escaping () throws -> Void
    ) -> SystemEventTrigger { unavailable() }
    func addSystemEventTrigger(
        waitingBefore event: SystemEvent, call: @escaping () throws -> Deferred<Void>?
    ) -> SystemEventTrigger { unavailable() }
    func removeSystemEventTrigger(_ trigger: SystemEventTrigger) -> Bool { unavailable() }
    func fireSystemEvent(_ event: SystemEvent) { unavailable() }
    func listenTCP(on binding: TCPBinding, factory: Factory) -> any ListeningPort { unavailable() }
    func adoptStreamPort(_ descriptor: CInt, factory: Factory) -> any ListeningPort { unavailable() }
    func adoptStreamConnection(_ descriptor: CInt, factory: Factory) { unavailable() }
    func listenUNIX(on binding: UNIXBinding, factory: Factory) -> any ListeningPort { unavailable() }
    func connectUNIX(to target: UNIXTarget, factory: ClientFactory) -> Connector { unavailable() }
    func connectTCP(to target: TCPTarget, factory: ClientFactory) -> Connector { unavailable() }
    func listenUDP(on binding: UDPBinding, protocol handler: DatagramProtocol) -> DatagramTransport { unavailable() }
    func listenUNIXDatagram(on binding: UNIXDatagramBinding, protocol handler: DatagramProtocol) -> DatagramTransport { unavailable() }
    func watch(
        _ descriptor: CInt, for readiness: Readiness, _ call: @escaping (Readiness) throws -> Void
    ) -> any DescriptorWatch { unavailable() }
    func deferToThread<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) -> Deferred<Value> { unavailable() }
}
