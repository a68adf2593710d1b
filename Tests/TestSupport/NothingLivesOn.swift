package import Testing
import Twill

/// Checks after each test of a suite that no protocol, transport, port or delayed call that the test made is still alive.
///
/// Every suite has it: a leak is found where it is made. What a test makes on threads of its own is not counted.
package struct NothingLivesOn: SuiteTrait, TestTrait, TestScoping {
    package let isRecursive = true

    @concurrent
    package func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        guard testCase != nil else { return try await function() }
        #if DEBUG
        let objects = LiveObjects()
        try await LiveObjects.$current.withValue(objects) { try await function() }
        // Another thread that the test used may be about to let go of a closure; a leak never goes away.
        let deadline = ContinuousClock.now + .seconds(2)
        while !objects.alive.isEmpty, ContinuousClock.now < deadline {
            try await Task.sleep(for: .milliseconds(1))
        }
        let alive = objects.alive
        #expect(alive.isEmpty, "still alive after the test: \(alive)", sourceLocation: test.sourceLocation)
        #else
        try await function()
        #endif
    }
}

extension Trait where Self == NothingLivesOn {
    /// Checks that nothing which a test made outlives it.
    package static var nothingLivesOn: NothingLivesOn { NothingLivesOn() }
}
