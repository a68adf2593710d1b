/// What every stream connection and every reactor promises, as cases that a reactor is held to.
///
/// ```swift
/// @Test(arguments: ReactorConformance.all)
/// func theContractHolds(_ promise: ConformanceCase) throws {
///     try promise.run(on: ConformanceSubject(.tcp) { try MyReactor(logger: $0) })
/// }
/// ```
///
/// They ask nothing of a test library, and nothing of a reactor but what ``/Twill/Reactor`` says: both ends of their connections are Twill's own
/// protocols. Twill's tests run them on `LibeventReactor`, however it waits, and on ``SimulatedReactor``.
public enum ReactorConformance {
    /// All cases, in an order that stays.
    public static let all: [ConformanceCase] = [
        WritingCases.all, ClosingCases.all, HalfClosingCases.all, PausingCases.all, PushProducerCases.all, PullProducerCases.all,
        ProducerEndCases.all, ConnectingCases.all, ListeningCases.all, ThrowingCases.all, HandingOverCases.all, LoopingCases.all,
    ].flatMap { $0.flatMap { $0 } }
}
