/// Looks names up as every other program of the machine does, with its configuration, its hosts file and its caches (`getaddrinfo`).
///
/// That call blocks, for many seconds where a name server is dead, so it runs on threads of its own: look-ups that hang wait for nobody but other
/// look-ups, and their deadline holds all the same.
public final class SystemResolver: Resolver {
    private let pool: ThreadPool
    private let deadline: Duration
    private let lookUp: @Sendable (String) throws(ResolveError) -> [Address]

    /// Makes a resolver.
    ///
    /// - Parameters:
    ///   - deadline: how long a look-up may take, waiting for a thread included.
    ///   - threadsMax: how many look-ups may be under way at once.
    public convenience init(deadline: Duration = .seconds(20), threadsMax: Int = 8) {
        self.init(deadline: deadline, threadsMax: threadsMax, lookUp: NameResolver.addresses)
    }

    /// A resolver that asks somebody else, blocking.
    init(deadline: Duration, threadsMax: Int, lookUp: @escaping @Sendable (String) throws(ResolveError) -> [Address]) {
        pool = ThreadPool(name: "twill.resolver", threadsMax: threadsMax)
        self.deadline = deadline
        self.lookUp = lookUp
    }

    public func resolve(
        _ name: String, on reactor: any Reactor, completion: @escaping (Result<[Address], ResolveError>) -> Void
    ) -> () -> Void {
        let lookup = Lookup(completion)
        let deadline = deadline
        lookup.alarm = reactor.callLater(deadline) { [weak lookup] in
            lookup?.end(.failure(ResolveError(name: name, message: "no answer within \(deadline); is a name server down?")))
        }
        let bound = ReactorBound(lookup)
        let handle = reactor.handle
        let lookUp = lookUp
        pool.run {
            let answer = Result { () throws(ResolveError) in try lookUp(name) }
            handle.callFromThread { _ in bound.value.end(answer) }
        }
        return { lookup.cancel() }
    }

    /// One look-up, which ends once.
    private final class Lookup {
        private var completion: ((Result<[Address], ResolveError>) -> Void)?
        var alarm: DelayedCall?

        init(_ completion: @escaping (Result<[Address], ResolveError>) -> Void) {
            self.completion = completion
        }

        func end(_ answer: Result<[Address], ResolveError>) {
            guard let completion else { return }
            cancel()
            completion(answer)
        }

        func cancel() {
            completion = nil
            alarm?.cancelIfActive()
            alarm = nil
        }
    }
}
