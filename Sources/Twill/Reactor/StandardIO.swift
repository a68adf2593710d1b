import Synchronization

/// Standard input and output of this process, which are one connection and can be served once.
enum StandardIO {
    private static let wasServed = Atomic(false)

    /// Serves them; where that fails, it may be tried again.
    static func serve(_ binding: PipeBinding, with handler: Protocol, on reactor: any Reactor) throws -> Transport {
        guard !wasServed.exchange(true, ordering: .relaxed) else { throw ListenError.alreadyServed.on(binding.name) }
        do {
            return try reactor.adoptStreamConnection(over: binding, protocol: handler)
        } catch {
            wasServed.store(false, ordering: .relaxed)
            throw error
        }
    }
}
