import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

extension Conformance {
    @Suite("Whatever is done inside whatever callback")
    struct Reentrancy {
        @Test("each connection is lost once, and nobody else is touched", arguments: ReentrancyCase.all)
        func whateverIsDoneInsideACallback(_ field: ReentrancyCase) throws {
            let log = RecordedLog()
            let scene = try withReactor(on: field.kind, log: log, errors: field.errorsName == nil ? 0 : 1) { reactor in
                try ReentrancyScene(field, reactor)
            }
            #expect(scene.hasActed, "the callback never came")
            #expect(scene.breaches.isEmpty, "\(scene.breaches)")
            for life in scene.lives {
                #expect(life.breaches.isEmpty, "\(life.breaches) in \(life.events)")
                #expect(life.wasMade == life.wasLost, "\(life.events)")
            }
            #expect(scene.subjectsLife?.wasMade == true || !field.connects)
            if let name = field.errorsName {
                #expect(log.count(containing: "\(name) threw: Refusal(number: 0)") == 1, "\(log.entries)")
                if !field.callback.isFactorys, field.callback != .connectionLost {
                    #expect(scene.subjectsLife?.reason?.underlying is Refusal)
                }
            }
            #expect(scene.canary.text == (field.action == .stopReactor ? "a" : "aab"))
            #expect(scene.canary.events.last == .lost(.reactorStopped))
            let left = scene.letGo()
            #expect(left.subject == nil)
            #expect(left.factory == nil)
        }
    }
}
