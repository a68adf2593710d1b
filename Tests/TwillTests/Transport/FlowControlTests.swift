import TestSupport
import Testing

@testable import Twill

@Suite("When a producer is paused and resumed", .nothingLivesOn)
struct FlowControlTests {
    private final class Idle: Producer {
        func resumeProducing() {}
        func stopProducing() {}
    }

    private func flow(low: Int = 10, high: Int = 100, streaming: Bool = true) -> FlowControl {
        let flow = FlowControl(marks: WaterMarks(low: low, high: high))
        flow.register(Idle(), streaming: streaming)
        return flow
    }

    @Test func aPushProducerIsPausedAboveTheHighMarkOnly() {
        let flow = flow()
        #expect(flow.noteUnsent(100) == nil)
        #expect(!flow.isPaused)
        #expect(flow.noteUnsent(101) == .pause)
        #expect(flow.isPaused)
        #expect(flow.noteUnsent(102) == nil)
        #expect(flow.noteUnsent(1_000) == nil)
    }

    @Test func aPausedProducerIsResumedAtTheLowMark() {
        let flow = flow()
        #expect(flow.noteUnsent(101) == .pause)
        #expect(flow.noteUnsent(11) == nil)
        #expect(flow.noteUnsent(10) == .resume)
        #expect(!flow.isPaused)
        #expect(flow.noteUnsent(0) == nil)
    }

    @Test(arguments: UInt64(1)...20)
    func pausingAndResumingAlternateAPauseBeingFirst(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let flow = flow(low: Int.random(in: 0...100, using: &generator), high: 100)
        var calls: [FlowControl.Call] = []
        for _ in 0..<500 {
            let unsent = Int.random(in: 0...200, using: &generator)
            if let call = flow.noteUnsent(unsent) {
                calls.append(call)
                #expect(call == .pause ? unsent > flow.marks.high : unsent <= flow.marks.low, "seed \(seed)")
            }
            #expect(flow.isPaused == (calls.last == .pause), "seed \(seed)")
            #expect(!flow.isPaused || unsent > flow.marks.low, "seed \(seed)")
            #expect(flow.isPaused || unsent <= flow.marks.high, "seed \(seed)")
        }
        #expect(calls.count > 20)
        for (index, call) in calls.enumerated() { #expect(call == (index % 2 == 0 ? .pause : .resume), "seed \(seed)") }
    }

    @Test func aLowMarkAboveTheHighOneCountsAsTheHighOne() {
        let flow = flow(low: 1_000, high: 100)
        #expect(flow.noteUnsent(101) == .pause)
        #expect(flow.noteUnsent(101) == nil)
        #expect(flow.noteUnsent(100) == .resume)
    }

    @Test func aPullProducerIsNeverPaused() {
        let flow = flow(streaming: false)
        #expect(flow.pulls)
        #expect(flow.noteUnsent(.max) == nil)
        #expect(flow.noteUnsent(0) == nil)
        #expect(flow.hasWritten, "so that it is asked for its first piece")
    }

    @Test func nobodyIsToldOnceTheProducerIsGone() {
        let flow = flow()
        #expect(flow.noteUnsent(101) == .pause)
        #expect(flow.unregister() is Idle)
        #expect(!flow.isPaused)
        #expect(flow.producer == nil)
        #expect(flow.unregister() == nil)
        #expect(flow.noteUnsent(0) == nil)
        #expect(flow.noteUnsent(1_000) == nil)
        #expect(!flow.pulls)
    }

    @Test func theNextProducerStartsUnpaused() {
        let flow = flow()
        #expect(flow.noteUnsent(101) == .pause)
        flow.unregister()
        flow.register(Idle(), streaming: true)
        #expect(!flow.isPaused)
        #expect(flow.noteUnsent(101) == .pause)
    }
}
