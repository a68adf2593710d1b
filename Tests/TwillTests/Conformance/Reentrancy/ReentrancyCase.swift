import Testing

@testable import Twill

/// One field of the matrix: who does what, inside which callback.
struct ReentrancyCase: CustomTestStringConvertible, Sendable {
    enum Side: String, CaseIterable {
        case server, client
    }

    enum Callback: String, CaseIterable {
        case connectionMade, dataReceived, producerResumed, timer, readConnectionLost, connectionLost, buildProtocol, startFactory,
            stopFactory

        /// Whether it is the factory's.
        var isFactorys: Bool { self == .buildProtocol || self == .startFactory || self == .stopFactory }
        /// Whether it comes by itself, or only with the end of the connection.
        var comesAtTheEnd: Bool { self == .connectionLost || self == .stopFactory }
    }

    enum Action: String, CaseIterable {
        case write, loseConnection, abortConnection, pauseProducing, resumeProducing, writeTenMegabytes, stopListening, stopReactor
        case loseWriteConnection, registerProducer, throwError, connectElsewhere, dropLastReference
    }

    let kind: StreamKind
    let side: Side
    let callback: Callback
    let action: Action

    /// All there are.
    static let all: [ReentrancyCase] = StreamKind.allCases.flatMap { kind in
        Side.allCases.flatMap { side in
            // The port of pipes is a test's own, and its factories are too.
            Callback.allCases.filter { kind != .pipes || !$0.isFactorys }.flatMap { callback in
                Action.allCases.map { ReentrancyCase(kind: kind, side: side, callback: callback, action: $0) }
            }
        }
    }

    var testDescription: String { "\(kind.testDescription), \(side)'s \(callback): \(action)" }

    /// How an error that the callback throws is named in the log; nil where whoever called hears of it instead.
    var errorsName: String? {
        guard action == .throwError else { return nil }
        switch (callback, side) {
        // The caller of listen or connect gets it.
        case (.startFactory, _): return nil
        // The factory is told that the attempt failed.
        case (.buildProtocol, .client): return nil
        case (.buildProtocol, .server): return "SubjectFactory.buildProtocol"
        case (.stopFactory, .server): return "SubjectFactory.stopFactory"
        case (.stopFactory, .client): return "SubjectClientFactory.stopFactory"
        case (.producerResumed, _): return "Subject.producer.resumeProducing"
        case (.timer, _): return "Subject.a delayed call"
        default: return "Subject.\(callback)"
        }
    }

    /// Whether a protocol of the subject's is connected at all.
    var connects: Bool {
        switch (callback, action, side) {
        case (.startFactory, .throwError, _), (.buildProtocol, .throwError, _), (.startFactory, .stopReactor, _): false
        // It closes the port before it connects to it.
        case (.startFactory, .stopListening, .client): false
        default: true
        }
    }
}
