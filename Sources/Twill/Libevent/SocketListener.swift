import Logging

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A listening socket and its accept loop: bounded, and unable to spin.
///
/// Each readable moment accepts a limited number of connections, so that a flood of them does not starve the others. At the most connections
/// that the port or the reactor may have it leaves the others waiting, until one has ended. When descriptors run out all the same
/// it turns a few waiting peers away with the one descriptor it has in reserve, then rests, longer each time, until room appears.
///
/// Where a process before this one had more sockets at the address than this one has reactors, a port has several: companions do what it does.
final class SocketListener: FinishingPort {
    /// How many waiting peers are turned away at once when descriptors have run out.
    private static let refusalsPerTurn = 16
    private static let shortestRest = Duration.milliseconds(10)
    private static let longestRest = Duration.seconds(1)
    /// How much time lies between two log lines that say that the port is full.
    private static let fullLogInterval = Duration.seconds(60)
    /// As many as can wait in the queue of most systems.
    private static let lastAcceptsMax = 4096

    #if DEBUG
    private let liveCount = LiveCount(.ports)
    #endif
    private(set) var isListening = true
    private(set) var isPaused = false
    private let loop: LibeventReactor
    private var opened: ListeningSocket
    private let factory: Factory
    private var companions: [SocketListener] = []
    /// How many are still accepted before it closes; nil where it is not about to.
    private var lastAccepts: Int?
    let settings: SocketTransport.Settings
    var connectionsMax: Int? {
        didSet {
            for companion in companions { companion.connectionsMax = connectionsMax }
            resumeIfPossible()
        }
    }
    private let acceptsPerTurn: Int
    private var event: Event?
    /// Whether its event is in the loop.
    private var isAccepting = false
    private var rest: DelayedCall?
    private var lastFullLog: ReactorClock.Instant?
    private var nextRest = shortestRest
    /// A descriptor of no use but to be closed when no other is left.
    private var reserve: CInt = -1

    /// Serves an open socket, which is closed if this throws.
    ///
    /// - Parameter settings: those of the port whose companion it is to be.
    init(loop: LibeventReactor, _ opened: ListeningSocket, factory: Factory, sharing settings: SocketTransport.Settings? = nil) throws {
        self.loop = loop
        self.opened = opened
        self.factory = factory
        self.settings = settings ?? SocketTransport.Settings(opened.options)
        connectionsMax = opened.connectionsMax
        acceptsPerTurn = max(1, opened.acceptsPerTurn)
        do {
            let event = unsafe try Event(
                base: loop.base, descriptor: opened.socket.descriptor, interest: [.read, .persist],
                callback: { _, _, context in
                    guard let context = unsafe context else { return }
                    // The reactor's list of ports keeps the listener for as long as its event is in the loop.
                    unsafe Unmanaged<SocketListener>.fromOpaque(context).takeUnretainedValue().acceptWaiting()
                },
                context: Unmanaged.passUnretained(self).toOpaque())
            isPaused = opened.backlogToCome != nil
            if !isPaused { try event.add() }
            try factory.doStart(logger: loop.logger)
            self.event = consume event
        } catch {
            opened.close()
            throw error
        }
        isAccepting = !isPaused
        takeReserve()
    }

    /// Serves several sockets of one address as one port; all are closed if this throws.
    static func serve(_ opened: ListeningSocket, on loop: LibeventReactor, factory: Factory) throws -> [SocketListener] {
        var opened = opened
        var others = opened.takeOthers()
        do {
            let port = try SocketListener(loop: loop, opened, factory: factory)
            do {
                while let other = others.popLast() {
                    port.companions.append(try SocketListener(loop: loop, other, factory: factory, sharing: port.settings))
                }
            } catch {
                port.stopListening()
                throw error
            }
            return [port] + port.companions
        } catch {
            for other in others { other.close() }
            throw error
        }
    }

    var address: Address { opened.address }

    private var socket: Socket { opened.socket }

    var statistics: ConnectionStatistics { settings.counters.current }

    func pauseAccepting() {
        isPaused = true
        stopAccepting()
        for companion in companions { companion.pauseAccepting() }
    }

    func resumeAccepting() {
        isPaused = false
        resumeIfPossible()
        for companion in companions { companion.resumeAccepting() }
    }

    func finishListening() {
        for companion in companions { companion.finishListening() }
        guard isListening, !isPaused else { return stopListening() }
        lastAccepts = Self.lastAcceptsMax
        // Inside of a callback, which ends by itself. Who is still there then is accepted on the turns that follow.
        for _ in 0..<acceptsPerTurn {
            guard acceptOne() else { return }
        }
    }

    func stopListening() {
        guard isListening else { return }
        isListening = false
        isAccepting = false
        for companion in companions { companion.stopListening() }
        settings.isOpen = false
        event = nil
        rest?.cancelIfActive()
        rest = nil
        if reserve >= 0 { Socket(descriptor: reserve).close() }
        reserve = -1
        loop.listeningSockets?.closing(socket.descriptor)
        opened.close(keepingFile: loop.listeningSockets?.keepsFiles ?? false)
        loop.forget(self)
        loop.later { [loop, factory] in
            do {
                try factory.doStop(logger: loop.logger)
            } catch {
                loop.logger.error("\(factory.logPrefix).stopFactory threw: \(error)")
            }
        }
    }

    private func acceptWaiting() {
        loop.beginCallback()
        for _ in 0..<acceptsPerTurn {
            guard acceptOne() else { return }
            loop.endCallback()
        }
    }

    /// Accepts one connection, if one waits; whether to go on.
    private func acceptOne() -> Bool {
        guard isAccepting else { return false }
        guard hasRoom else {
            waitForRoom()
            return false
        }
        do throws(SystemError) {
            let (accepted, peer) = try socket.accept()
            nextRest = Self.shortestRest
            serve(accepted, peer)
            return !wasLast()
        } catch {
            switch error.errno {
            case EAGAIN, EWOULDBLOCK:
                if lastAccepts != nil { stopListening() }
                return false
            case EMFILE, ENFILE, ENOBUFS, ENOMEM:
                runOut(error)
                return false
            case EINTR, ECONNABORTED, EPROTO, ENETDOWN, ENOPROTOOPT, EHOSTDOWN, EHOSTUNREACH, EOPNOTSUPP, ENETUNREACH, EPERM: return true
            #if !canImport(Darwin)
            case ENONET: return true
            #endif
            default:
                loop.logger.error("Couldn't accept connections on \(address): \(error)")
                takeRest(Self.longestRest)
                return false
            }
        }
    }

    /// Whether this was the last connection of a port that is about to close, which it then does.
    private func wasLast() -> Bool {
        guard let left = lastAccepts else { return false }
        lastAccepts = left - 1
        if left <= 1 { stopListening() }
        return left <= 1
    }

    private func serve(_ accepted: Socket, _ peer: Address) {
        accepted.applyToAccepted(settings.options, from: peer)
        settings.counters.count { $0.accepted += 1 }
        do {
            guard let handler = try factory.protocolForConnection(from: peer) else { return refuse(accepted) }
            let transport = SocketTransport(loop: loop, socket: accepted, peer: peer, settings: settings)
            try loop.serve(transport, handler)
        } catch {
            loop.logger.error("\(factory.logPrefix).buildProtocol threw: \(error)", metadata: ["peer": "\(peer)"])
            refuse(accepted)
        }
    }

    private func refuse(_ accepted: Socket) {
        settings.counters.count { $0.refused += 1 }
        accepted.close()
    }

    /// Whether one more connection may be accepted.
    private var hasRoom: Bool {
        settings.counters.current.open < limit && loop.openCount < loop.connectionsMax
    }

    private var limit: Int { max(1, connectionsMax ?? .max) }

    /// Leaves those who come waiting until a connection has ended.
    private func waitForRoom() {
        stopAccepting()
        waitForChange()
        if let lastFullLog, loop.now < lastFullLog.advanced(by: Self.fullLogInterval) { return }
        lastFullLog = loop.now
        let isOwnLimit = settings.counters.current.open >= limit
        loop.logger.warning(
            """
            \(address) is full with \(isOwnLimit ? limit : loop.openCount) connections, others must wait: \
            raise \(isOwnLimit ? "the port's connectionsMax" : "the limit of descriptors (ulimit -n) or the reactor's connectionsMax")
            """)
    }

    /// No descriptor is left: some of those who wait are told at once, the others when room appears.
    private func runOut(_ error: SystemError) {
        if nextRest == Self.shortestRest {
            loop.logger.warning(
                "Out of descriptors or memory on \(address), connections must wait: \(error); raise the limit (ulimit -n) or limit connections"
            )
        }
        if reserve >= 0 {
            Socket(descriptor: reserve).close()
            reserve = -1
            for _ in 0..<Self.refusalsPerTurn {
                guard let (refused, _) = try? socket.accept() else { break }
                settings.counters.count { $0.turnedAway += 1 }
                refused.close()
            }
            takeReserve()
        }
        takeRest(nextRest)
        nextRest = min(nextRest * 2, Self.longestRest)
    }

    private func takeRest(_ duration: Duration) {
        stopAccepting()
        waitForChange()
        rest = loop.callLater(duration) { [weak self] in self?.resumeIfPossible() }
    }

    /// Asks the reactor to call ``resumeIfPossible()`` when there may be room again.
    private func waitForChange() {
        if !loop.resting.contains(where: { $0 === self }) { loop.resting.append(self) }
    }

    private func stopAccepting() {
        guard isAccepting else { return }
        isAccepting = false
        event?.remove()
    }

    /// Accepts again, if nothing stands against it: when the rest is over, when a connection has ended, when it was asked for.
    func resumeIfPossible() {
        guard isListening, !isPaused, !isAccepting else { return }
        guard hasRoom else { return waitForChange() }
        if let backlog = opened.backlogToCome {
            do {
                try socket.listen(backlog: backlog)
                opened.backlogToCome = nil
            } catch {
                return loop.logger.error("Couldn't listen on \(address): \(error)")
            }
        }
        rest?.cancelIfActive()
        rest = nil
        loop.resting.removeAll { $0 === self }
        if reserve < 0 { takeReserve() }
        do {
            try event?.add()
            isAccepting = true
        } catch {
            loop.logger.error("Couldn't accept connections on \(address) again: \(error)")
            takeRest(Self.longestRest)
        }
    }

    private func takeReserve() {
        reserve = systemOpen("/dev/null", O_RDONLY | O_CLOEXEC)
    }
}

/// A port that can close without turning those away who wait in its queue.
package protocol FinishingPort: ListeningPort {
    /// Accepts those who wait already, then closes, which takes several turns where they are many; a paused one closes at once.
    func finishListening()
}
