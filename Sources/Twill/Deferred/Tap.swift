/// Waits for a Deferred on behalf of something that is no link of it: a list of several, or another chain.
///
/// Its call gets the Deferred and its result, and returns the Deferred that fires because of it, so that this needs no recursion either.
/// The error counts as unhandled unless the call, or whoever made the tap, says otherwise.
final class Tap<Value>: AnyDeferred {
    typealias Call = (Deferred<Value>, Result<Value, any Error>) -> AnyDeferred?

    private var call: Call?

    init(_ call: @escaping Call) {
        self.call = call
        super.init(.waiting, #fileID, #line)
    }

    override func receive(from source: AnyDeferred) -> AnyDeferred? {
        guard let call = call.take(), let source = source as? Deferred<Value>, let result = source.result else { return nil }
        return call(source, result)
    }
}

extension Deferred {
    /// Has the result told to somebody who makes no link of it.
    func tap(_ call: @escaping Tap<Value>.Call) {
        add(Tap(call))
    }
}
