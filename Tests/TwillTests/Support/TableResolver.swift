@testable import Twill

/// A resolver that answers from a table, after a delay if it is told to, and remembers what it was asked.
final class TableResolver: Resolver {
    private let table: [String: [Address]]
    private let delay: Duration
    private(set) var asked: [String] = []
    private(set) var cancelled: [String] = []

    init(_ table: [String: [String]], delay: Duration = .zero) {
        self.table = table.mapValues { hosts in hosts.compactMap { Address(host: $0, port: 0) } }
        self.delay = delay
    }

    func resolve(
        _ name: String, on reactor: any Reactor, completion: @escaping (Result<[Address], ResolveError>) -> Void
    ) -> () -> Void {
        asked.append(name)
        let answer =
            table[name].map { Result<[Address], ResolveError>.success($0) }
            ?? .failure(ResolveError(name: name, message: "it is not in the table"))
        let call = reactor.callLater(delay) { completion(answer) }
        return { [weak self] in
            guard call.isActive else { return }
            call.cancelIfActive()
            self?.cancelled.append(name)
        }
    }
}
