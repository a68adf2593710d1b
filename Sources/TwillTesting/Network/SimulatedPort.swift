import Logging
import Twill

/// A listening socket and those who wait to be accepted.
final class SimulatedPort: ListeningPort {
    private(set) var isListening = true
    private(set) var isPaused = false
    let address: Address
    let counters = SimulatedCounters()
    var connectionsMax: Int? {
        didSet { acceptLater() }
    }

    // The reactor holds its ports.
    private unowned let loop: SimulatedReactor
    /// The host that it listens on, as the lower part of an address; nil for all that the reactor has.
    private let interface: String?
    private let factory: Factory
    private let options: TransportOptions
    private let backlog: Int
    private let acceptsPerTurn: Int
    private var waiting: [SimulatedSocket] = []

    init(_ loop: SimulatedReactor, at address: Address, only interface: String?, factory: Factory, binding: TCPBinding) throws {
        self.loop = loop
        self.address = address
        self.interface = interface
        self.factory = factory
        options = binding.options
        backlog = max(1, binding.backlog)
        acceptsPerTurn = max(1, binding.acceptsPerTurn)
        connectionsMax = binding.connectionsMax
        try factory.doStart(logger: loop.logger)
    }

    var statistics: ConnectionStatistics { counters.current }

    /// Whether who connects to this address comes here.
    func serves(_ target: Address) -> Bool {
        if case .unix = address { return target == address }
        return target.port == address.port && (interface == nil || interface == target.host)
    }

    /// Whether one more may wait.
    var hasBacklogRoom: Bool { waiting.count < backlog }

    /// Takes in one who has connected.
    func offer(_ socket: SimulatedSocket) {
        guard isListening else { return socket.reset() }
        waiting.append(socket)
        if loop.isRunning { loop.perform { acceptWaiting() } }
    }

    func pauseAccepting() { isPaused = true }

    func resumeAccepting() {
        guard isPaused else { return }
        isPaused = false
        acceptLater()
    }

    func stopListening() {
        guard isListening else { return }
        isListening = false
        for socket in waiting { socket.reset() }
        waiting = []
        loop.forget(self)
        loop.later { [unowned loop, factory] in
            do {
                try factory.doStop(logger: loop.logger)
            } catch {
                loop.logger.error("\(factory.logPrefix).stopFactory threw: \(error)")
            }
        }
    }

    /// Accepts on the next turn, where there is somebody to accept.
    func acceptLater() {
        if !waiting.isEmpty { loop.later { [weak self] in self?.acceptWaiting() } }
    }

    private var hasRoom: Bool { counters.current.open < max(1, connectionsMax ?? .max) }

    private func acceptWaiting() {
        for _ in 0..<acceptsPerTurn {
            guard isListening, !isPaused, hasRoom, !waiting.isEmpty else { return }
            guard !loop.isShortOfDescriptors() else { return acceptAfterShortage() }
            serve(waiting.removeFirst())
        }
        acceptLater()
    }

    private func acceptAfterShortage() {
        loop.logger.warning("Out of descriptors on \(address), connections must wait")
        loop.world.after(loop.now.duration(to: loop.shortageEnd)) { [weak self] in
            guard let self, loop.isRunning else { return }
            loop.perform { acceptWaiting() }
        }
    }

    /// Its process is gone: those who wait are given up, and no one is told.
    func die() -> [SimulatedSocket] {
        isListening = false
        defer { waiting = [] }
        return waiting
    }

    private func serve(_ socket: SimulatedSocket) {
        socket.note(.accepted)
        counters.count { $0.accepted += 1 }
        do {
            guard let handler = try factory.protocolForConnection(from: socket.remote) else { return refuse(socket) }
            loop.serve(SimulatedTransport(loop: loop, socket: socket, options: options, counters: counters), handler)
        } catch {
            loop.logger.error("\(factory.logPrefix).buildProtocol threw: \(error)", metadata: ["peer": "\(socket.remote)"])
            refuse(socket)
        }
    }

    private func refuse(_ socket: SimulatedSocket) {
        counters.count { $0.refused += 1 }
        socket.close()
    }
}
