import Testing
import Twill

/// Checks after each test of a suite that no protocol, transport, port or delayed call that the test made is still alive.
struct NothingLivesOn: SuiteTrait, TestTrait, TestScoping {
    let isRecursive = true

    @concurrent
    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        guard testCase != nil else { return try await function() }
        #if DEBUG
        let objects = LiveObjects()
        try await LiveObjects.$current.withValue(objects) { try await function() }
        let alive = objects.alive
        #expect(alive.isEmpty, "still alive after the test: \(alive)", sourceLocation: test.sourceLocation)
        #else
        try await function()
        #endif
    }
}

extension Trait where Self == NothingLivesOn {
    /// Checks that nothing which a test made outlives it.
    static var nothingLivesOn: NothingLivesOn { NothingLivesOn() }
}
