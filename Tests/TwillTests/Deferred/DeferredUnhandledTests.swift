import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

@Suite("Errors of Deferreds that nobody asked for", .nothingLivesOn)
struct DeferredUnhandledTests {
    private struct Refusal: Error {}

    private func logged(_ body: () throws -> Void) rethrows -> [String] {
        let log = RecordedLog()
        try UnhandledErrors.$logger.withValue(log.logger) { try body() }
        return log.entries
    }

    @Test func oneIsLoggedWithThePlaceWhereItsDeferredWasMade() {
        let place = "TwillTests/DeferredUnhandledTests.swift:\(#line + 2)"
        let entries = logged {
            _ = Deferred<Int>(.failure(Refusal()))
        }
        #expect(entries.count == 1)
        let entry = entries.first ?? ""
        #expect(entry.hasSuffix(": Refusal()"))
        #expect(entry.contains(place.drop { $0 != "/" }), "\(entry)")
    }

    @Test func theLastLinkIsWhereItIsLogged() throws {
        var line = 0
        let entries = try logged {
            let deferred = Deferred<Int>()
            deferred.addCallback { $0 + 1 }
                .addCallback { "\($0)" }
            line = #line - 1
            try deferred.fail(Refusal())
        }
        #expect(entries.count == 1)
        #expect(entries.first?.contains(".swift:\(line): Refusal()") == true, "\(entries)")
    }

    @Test func itIsLoggedWhenTheDeferredGoesAndNotBefore() {
        let entries = logged {
            let deferred = Deferred<Int>.fail(Refusal())
            deferred.addErrback { _ in 0 }
        }
        #expect(entries.isEmpty)
    }

    @Test func oneThatWasAskedForIsNotLogged() throws {
        let entries = try logged {
            let inner = Deferred<Int>()
            Deferred<Int>.succeed(1).addCallback { _ in inner }.addErrback { _ in 0 }
            try inner.fail(Refusal())
        }
        #expect(entries.isEmpty)
    }

    @Test func aCancellationIsNotLogged() {
        let entries = logged {
            Deferred<Int>().addCallback { $0 }.cancel()
        }
        #expect(entries.isEmpty)
    }

    @Test func anErrorForAChainedOneThatHasFiredIsLogged() throws {
        let entries = try logged {
            let source = Deferred<Int>()
            let other = Deferred<Int>.succeed(1)
            source.chainDeferred(other)
            try source.fail(Refusal())
        }
        #expect(entries.count == 1)
    }

    @Test func errorsAfterTheOneThatCountedAreLoggedUnlessConsumed() throws {
        for consumes in [false, true] {
            let entries = try logged {
                let inputs = (0..<3).map { _ in Deferred<Int>() }
                gatherResults(inputs, consumeErrors: consumes).addErrback { _ in [] }
                DeferredList(inputs, fireOnOneErrback: true, consumeErrors: consumes).addErrback { _ in [] }
                for input in inputs { try input.fail(Refusal()) }
            }
            #expect(entries.count == (consumes ? 0 : 2))
        }
    }

    @Test func errorsInAListAreNotLogged() throws {
        let entries = logged {
            _ = DeferredList([Deferred<Int>.fail(Refusal()), .succeed(1)])
            _ = race([Deferred<Int>.fail(Refusal()), .succeed(1)])
        }
        #expect(entries.isEmpty)
    }
}
