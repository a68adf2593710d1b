import Logging
public import Twill

/// Services that start and stop together.
///
/// ```swift
/// let services = MultiService(on: reactor)
/// try services.add(TCPServer(port: 8007, factory: Chat()))
/// try services.add(TimerService(every: .seconds(60)) { report() })
/// try services.start()
/// ```
///
/// # Contract
/// - They start in the order in which they were added: first all of them bind their ports, then all of them begin to work. One that throws ends
///   the start: those that had started are stopped again.
/// - They stop in the opposite order, each when the one before has stopped. One that fails does not keep the others from being stopped; what
///   failed is told at the end, as ``StopFailures``.
/// - A drain is for all of them at the same time. They reload in the order in which they start; one that can't keeps no other from it.
/// - A service that is added to one that runs is started, and one that is removed is stopped.
/// - No two have the same name.
///
/// Twisted: `MultiService`, which stops all at the same time, and leaves those running that had started before one threw.
open class MultiService: Service {
    /// The services, in the order in which they start.
    public final private(set) var services: [Service] = []
    private final let ownReactor: (any Reactor)?
    private final let ownPlace: ReactorPlace

    /// Makes one that belongs into another one.
    public override init(name: String? = nil) {
        ownReactor = nil
        ownPlace = .only
        super.init(name: name)
    }

    /// Makes one that is the root of a tree, whose services all run on this reactor.
    ///
    /// - Parameters:
    ///   - name: what its log lines call it; nil for its type.
    ///   - reactor: where they run.
    ///   - place: which of several reactors that is.
    public init(name: String? = nil, on reactor: any Reactor, at place: ReactorPlace = .only) {
        ownReactor = reactor
        ownPlace = place
        super.init(name: name)
    }

    final override var knownReactor: (any Reactor)? { ownReactor ?? super.knownReactor }

    final override var knownPlace: ReactorPlace { ownReactor == nil ? super.knownPlace : ownPlace }

    /// The service of a name. Twisted: `getServiceNamed`.
    public final subscript(name: String) -> Service? {
        services.first { $0.name == name }
    }

    /// Adds a service, behind the others. Where this one is bound or runs, so is the service when this returns.
    ///
    /// - Throws: ``ServiceError``; what starting it throws, in which case it was not added.
    ///
    /// Twisted: `addService`, `setServiceParent`.
    @discardableResult
    public final func add<Added: Service>(_ service: Added) throws -> Added {
        guard service.parent == nil else { throw ServiceError.hasParent(service.logPrefix) }
        if let name = service.name, self[name] != nil { throw ServiceError.nameTaken(name) }
        var ancestor: Service? = self
        while let next = ancestor {
            if next === service { throw ServiceError.aboveItself(service.logPrefix) }
            ancestor = next.parent
        }
        service.parent = self
        services.append(service)
        do {
            if state == .bound { try service.privilegedStart() }
            if state == .running { try service.start() }
        } catch {
            forget(service)
            throw error
        }
        return service
    }

    /// Removes a service, and stops it. It may be added again, anywhere.
    ///
    /// - Returns: fires when it has stopped; at once where it is none of these.
    ///
    /// Twisted: `removeService`, `disownServiceParent`.
    @discardableResult
    public final func remove(_ service: Service) -> Deferred<Void> {
        guard service.parent === self else { return .succeed(()) }
        // It knows its reactor until it is stopped.
        return service.stop().addBoth { (result: Result<Void, any Error>) -> Void in
            if service.parent === self { self.forget(service) }
            try result.get()
        }
    }

    private final func forget(_ service: Service) {
        services.removeAll { $0 === service }
        service.parent = nil
    }

    /// Binds the ports of all. An override calls `super`.
    open override func privilegedStartService() throws {
        try forEach { try $0.privilegedStart() }
    }

    /// Starts all. An override calls `super`.
    open override func startService() throws {
        try forEach { try $0.start() }
    }

    /// Makes a call on each once, those included that it adds, and those left out that it removes. Where one throws, those that were called are stopped
    /// again, the last one first.
    private final func forEach(_ call: (Service) throws -> Void) throws {
        var called: [Service] = []
        while let next = services.first(where: { service in !called.contains { $0 === service } }) {
            do {
                try call(next)
            } catch {
                for service in called.reversed() { service.logFailure(of: service.stop()) }
                throw error
            }
            called.append(next)
        }
    }

    /// Reloads all. An override calls `super`.
    open override func reloadService() throws {
        for service in services { service.reload() }
    }

    /// Lets what all have under way come to its end.
    open override func drainService(deadline: ReactorClock.Instant) throws -> Deferred<Void>? {
        let drains = services.map { service in
            service.drain(deadline: deadline).addErrback { error in
                self.reactor.logger.error("\(service.logPrefix) could not be drained: \(error)")
            }
        }
        return gatherResults(drains).addCallback { _ in }
    }

    /// Stops all, the last one first. An override calls `super`.
    open override func stopService() throws -> Deferred<Void>? {
        var failures: [StopFailures.Failure] = []
        var last = Deferred<Void>.succeed(())
        for service in services.reversed() {
            last = last.addCallback { () -> Deferred<Void> in
                service.stop().addErrback { error in
                    failures.append(StopFailures.Failure(service: service.logPrefix, error: error))
                }
            }
        }
        return last.addCallback { () -> Void in
            if !failures.isEmpty { throw StopFailures(failures: failures) }
        }
    }
}
