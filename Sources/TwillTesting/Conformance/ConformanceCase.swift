/// One promise of the contract, and a conversation in which it is kept or broken.
///
/// Those that stand in Twisted's catalogue of cases carry the number of their row: T for closing and writing, P for flow control, K for connecting
/// and listening, R for reactors.
public struct ConformanceCase: Sendable, CustomStringConvertible {
    /// What a case needs of the reactor and its connections.
    package struct Needs: OptionSet, Sendable {
        package let rawValue: UInt8

        package init(rawValue: UInt8) {
            self.rawValue = rawValue
        }

        /// Connections are listened for and dialled by the reactor.
        package static let dialling = Needs(rawValue: 1)
        /// A host is dialled by its name.
        package static let names = Needs(rawValue: 2)
        /// The first byte on a connection is the protocol's, so that its factory is asked at once.
        package static let firstByte = Needs(rawValue: 4)
        /// An abort reaches the peer as a reset.
        package static let resets = Needs(rawValue: 8)
    }

    /// The promise, in a sentence. No two are the same.
    public let name: String
    let needs: Needs
    private let body: @Sendable (ConformanceStage) throws -> Void

    init(_ name: String, _ needs: Needs, _ body: @escaping @Sendable (ConformanceStage) throws -> Void) {
        self.name = name
        self.needs = needs
        self.body = body
    }

    /// Plays the conversation on a new reactor, which is run on this thread and has stopped when this returns.
    ///
    /// - Returns: what each side was told, a line for each event: the same for every reactor that keeps the contract. What is left to the network, such
    ///   as how much of a stream arrives before it breaks, is not there. Empty where ``ConformanceSubject`` can't show the promise.
    /// - Throws: ``ConformanceFailure`` where the promise is broken; what the reactor throws.
    @discardableResult
    public func run(on subject: ConformanceSubject) throws -> [String] {
        guard isMeant(for: subject) else { return [] }
        let stage = ConformanceStage(subject)
        do {
            try body(stage)
        } catch is ConformanceStage.Stopped {
            // The reason is among the problems.
        }
        guard stage.problems.isEmpty else {
            throw ConformanceFailure(promise: name, problems: stage.problems, transcript: stage.transcript)
        }
        return stage.transcript
    }

    /// Whether the subject can show what the case is about; a UNIX socket, for one, has no resets.
    public func isMeant(for subject: ConformanceSubject) -> Bool { subject.abilities.isSuperset(of: needs) }

    public var description: String { name }
}

/// A promise of the contract that a reactor has broken.
public struct ConformanceFailure: Error, CustomStringConvertible, Sendable {
    /// The promise.
    public let promise: String
    /// What was not as it should be: where in the case, and what is known of it.
    public let problems: [String]
    /// What each side was told.
    public let transcript: [String]

    public var description: String { ([promise] + problems.map { "- \($0)" } + transcript.map { "  \($0)" }).joined(separator: "\n") }
}

// Without defaults: a function that is an argument may not come behind one that was left out.
extension [ConformanceCase] {
    /// One case.
    static func of(_ name: String, _ body: @escaping @Sendable (ConformanceStage) throws -> Void) -> [ConformanceCase] {
        [ConformanceCase(name, [], body)]
    }

    /// One case, for reactors and connections that have what it needs.
    static func of(
        _ name: String, _ needs: ConformanceCase.Needs, _ body: @escaping @Sendable (ConformanceStage) throws -> Void
    ) -> [ConformanceCase] {
        [ConformanceCase(name, needs, body)]
    }

    /// A case for each value.
    static func of<Value: Sendable>(
        _ name: String, for values: [Value], _ body: @escaping @Sendable (ConformanceStage, Value) throws -> Void
    ) -> [ConformanceCase] {
        values.map { value in ConformanceCase("\(name): \(value)", []) { try body($0, value) } }
    }
}
