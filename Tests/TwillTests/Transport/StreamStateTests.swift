import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

@Suite("The state of a stream connection", .nothingLivesOn)
struct StreamStateTests {
    private typealias Event = StreamState.Event
    private typealias Phase = StreamState.Phase
    private typealias Actions = StreamState.Actions

    private struct Refusal: Error, Equatable {
        var number = 0
    }

    /// A state that has taken some events, and what it answered to the last.
    private func state(after events: [Event]) -> (state: StreamState, actions: Actions) {
        var state = StreamState()
        var actions: Actions = []
        for event in events { actions = state.take(event) }
        return (state, actions)
    }

    /// How a connection gets into a phase.
    private static func way(to phase: StreamState.Phase) -> [StreamState.Event] {
        switch phase {
        case .open: []
        case .readClosed: [.peerClosed(halfCloseable: true)]
        case .finishing: [.loseWrite]
        case .closing: [.lose(.done)]
        case .writeClosed: [.loseWrite, .settle(hasOutput: false)]
        case .broken: [.sendingBroke(.lost)]
        case .ending: [.abort(.aborted)]
        case .lost: [.abort(.aborted), .settle(hasOutput: false)]
        }
    }

    /// One row of the table in the documentation; nil stands where nothing happens.
    struct Row: Sendable, CustomTestStringConvertible {
        let phase: StreamState.Phase
        let deliversInput: Bool
        let takesOutput: Bool
        let takesProducersOutput: Bool
        let lose: StreamState.Phase?
        let loseWrite: StreamState.Phase?
        let peersEnd: StreamState.Phase?
        let receivingFails: StreamState.Phase?
        let sendingFails: StreamState.Phase?

        var testDescription: String { "\(phase)" }
    }

    private static let table: [Row] = [
        row(.open, true, true, true, .closing, .finishing, .closing, .ending, .broken),
        row(.readClosed, false, true, true, .closing, .closing, nil, .ending, .ending),
        row(.finishing, true, false, true, .closing, nil, .closing, .ending, .broken),
        row(.writeClosed, true, false, false, .closing, nil, .closing, .ending, nil),
        row(.closing, false, false, true, nil, nil, nil, .ending, .ending),
        row(.broken, true, false, false, .ending, nil, .ending, .ending, nil),
        row(.ending, false, false, false, nil, nil, nil, nil, nil),
        row(.lost, false, false, false, nil, nil, nil, nil, nil),
    ]

    private static func row(
        _ phase: StreamState.Phase, _ input: Bool, _ output: Bool, _ producersOutput: Bool, _ lose: StreamState.Phase?,
        _ loseWrite: StreamState.Phase?, _ peersEnd: StreamState.Phase?, _ receiving: StreamState.Phase?, _ sending: StreamState.Phase?
    ) -> Row {
        Row(
            phase: phase, deliversInput: input, takesOutput: output, takesProducersOutput: producersOutput, lose: lose,
            loseWrite: loseWrite,
            peersEnd: peersEnd, receivingFails: receiving, sendingFails: sending)
    }

    @Test(arguments: table)
    func eachPhaseIsAsTheTableSays(row: Row) {
        let way = Self.way(to: row.phase)
        let (state, _) = state(after: way)
        #expect(state.phase == row.phase)
        #expect(state.takesInput == row.deliversInput)
        #expect(state.takesOutput == row.takesOutput)
        // A producer's output is taken where what was accepted is still sent.
        #expect((state.sends && state.phase != .writeClosed) == row.takesProducersOutput)
        expect(row.phase, .lose(.done), leadsTo: row.lose)
        expect(row.phase, .threw(Refusal()), leadsTo: row.lose)
        expect(row.phase, .loseWrite, leadsTo: row.loseWrite)
        expect(row.phase, .peerClosed(halfCloseable: false), leadsTo: row.peersEnd)
        expect(row.phase, .peerClosed(halfCloseable: true), leadsTo: row.phase == .open ? .readClosed : row.peersEnd)
        expect(row.phase, .receivingBroke(.lost), leadsTo: row.receivingFails)
        expect(row.phase, .sendingBroke(.lost), leadsTo: row.sendingFails)
        expect(row.phase, .abort(.aborted), leadsTo: row.phase == .ending || row.phase == .lost ? nil : .ending)
    }

    private func expect(
        _ phase: StreamState.Phase, _ event: StreamState.Event, leadsTo next: StreamState.Phase?,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let (state, actions) = state(after: Self.way(to: phase) + [event])
        #expect(state.phase == next ?? phase, "\(event)", sourceLocation: sourceLocation)
        if next == nil { #expect(actions.isEmpty, "\(event)", sourceLocation: sourceLocation) }
    }

    @Test func settlingLeadsOnOnceNoOutputWaits() {
        for (phase, next) in [(Phase.finishing, Phase.writeClosed), (.closing, .lost)] {
            let (waiting, actions) = state(after: Self.way(to: phase) + [.settle(hasOutput: true)])
            #expect(waiting.phase == phase)
            #expect(actions == .watchForStall)
            #expect(state(after: Self.way(to: phase) + [.settle(hasOutput: false)]).state.phase == next)
        }
        for phase in [Phase.broken, .ending] {
            // What was written is dropped: nothing is waited for. A broken one reads once more, and settles again.
            let (state, _) = state(after: Self.way(to: phase) + [.settle(hasOutput: true), .settle(hasOutput: true)])
            #expect(state.phase == .lost)
        }
        for phase in [Phase.open, .readClosed, .writeClosed, .lost] {
            let (state, actions) = state(after: Self.way(to: phase) + [.settle(hasOutput: false)])
            #expect(state.phase == phase)
            #expect(actions.isEmpty)
        }
    }

    @Test func whatIsDoneOnTheWay() {
        let expected: [([Event], Actions)] = [
            ([.lose(.done)], [.stopReading, .settleLater]),
            ([.lose(.done), .settle(hasOutput: false)], [.tellLost, .linger]),
            ([.loseWrite], .settleLater),
            ([.loseWrite, .settle(hasOutput: false)], [.shutdownWriting, .tellWriteLost]),
            ([.abort(.aborted)], [.stopReading, .dropOutput, .reset, .settleLater]),
            ([.abort(.aborted), .settle(hasOutput: false)], [.stopReading, .tellLost, .release]),
            ([.peerClosed(halfCloseable: true)], [.stopReading, .tellReadLost]),
            // A push producer would never learn that it may end; a pull producer goes on to its end.
            ([.peerClosed(halfCloseable: false)], [.stopReading, .stopPushProducer, .settleNow]),
            ([.loseWrite, .peerClosed(halfCloseable: true)], [.stopReading, .settleNow]),
            ([.receivingBroke(.lost)], [.stopReading, .dropOutput, .settleNow]),
            ([.sendingBroke(.lost)], [.dropOutput, .settleLater]),
            ([.sendingBroke(.lost), .settle(hasOutput: false)], [.readRest, .settleNow]),
            ([.sendingBroke(.lost), .settle(hasOutput: false), .settle(hasOutput: false)], [.stopReading, .tellLost, .release]),
            ([.end(.reactorStopped)], [.stopReading, .dropOutput, .tellLost, .release]),
            // It lingers: its protocol has been told.
            ([.lose(.done), .settle(hasOutput: false), .end(.reactorStopped)], .release),
        ]
        for (events, actions) in expected { #expect(state(after: events).actions == actions, "\(events)") }
    }

    @Test func aPausedConnectionDeliversNothingUntilItIsResumed() {
        #expect(state(after: [.pause]).state.takesInput == false)
        #expect(state(after: [.pause]).actions.isEmpty, "looking for input goes on until input comes")
        let (resumed, actions) = state(after: [.pause, .pause, .resume])
        #expect(resumed.takesInput)
        #expect(actions == .startReading)
        #expect(state(after: [.resume]).actions.isEmpty)
        // There is nothing to read any more, or nobody who wants it.
        for phase in [Phase.readClosed, .closing, .ending, .lost] {
            let (state, actions) = state(after: [.pause] + Self.way(to: phase) + [.resume])
            #expect(actions.isEmpty, "\(phase)")
            #expect(!state.takesInput, "\(phase)")
        }
        // Who wants no input gets none of what came before sending failed.
        #expect(state(after: [.pause, .sendingBroke(.lost)]).state.phase == .ending)
    }

    @Test func theReasonIsThatOfWhatWentFurthest() {
        func reason(_ events: [Event]) -> ConnectionLost { state(after: events).state.reason }
        #expect(reason([.lose(.timedOut), .lose(.done)]) == .timedOut)
        #expect(reason([.lose(.done), .sendingBroke(.lost)]) == .lost)
        #expect(reason([.lose(.timedOut), .abort(.aborted)]) == .aborted)
        #expect(reason([.abort(.unsentLimit), .abort(.aborted)]) == .unsentLimit)
        #expect(reason([.sendingBroke(.lost), .lose(.done)]) == .lost)
        #expect(reason([.sendingBroke(.lost), .abort(.aborted)]) == .lost)
        #expect(reason([.sendingBroke(.lost), .peerClosed(halfCloseable: false)]) == .lost)
        #expect(reason([.peerClosed(halfCloseable: false), .sendingBroke(.lost)]) == .lost)
        #expect(reason([.peerClosed(halfCloseable: false)]) == .done)
        #expect(reason([.loseWrite, .peerClosed(halfCloseable: true)]) == .done)
        #expect(reason([.end(.reactorStopped)]) == .reactorStopped)
    }

    @Test func anErrorIsTheReasonWhateverHappensBesides() {
        let others: [Event] = [
            .lose(.timedOut), .abort(.aborted), .sendingBroke(.lost), .receivingBroke(.lost), .peerClosed(halfCloseable: false),
            .end(.reactorStopped), .threw(Refusal(number: 2)),
        ]
        for other in others {
            let after = state(after: [.threw(Refusal(number: 1)), other]).state
            #expect(after.reason.underlying as? Refusal == Refusal(number: 1), "\(other)")
            if case .end = other { continue }
            let before = state(after: [other, .threw(Refusal(number: 1))]).state
            let isError = if case .threw = other { true } else { false }
            #expect(before.reason.underlying as? Refusal == Refusal(number: isError ? 2 : 1), "\(other)")
        }
        // What has been told can't be told anew.
        #expect(state(after: Self.way(to: .lost) + [.threw(Refusal())]).state.reason == .aborted)
    }

    /// What a connection may say of itself, worked out in another way: how far it has gone, and for whose reason.
    private struct Model {
        enum Stage: Int {
            case open, closing, ending, lost
        }

        var stage = Stage.open
        var reason = ConnectionLost.done
        var hasThrown = false
        var isReadClosed = false
        var isWriteClosed = false

        /// Whatever goes further than anything before decides on the reason; an error is the reason once and for all.
        mutating func go(to next: Stage, because reason: ConnectionLost) {
            guard next.rawValue > stage.rawValue else { return }
            stage = next
            if !hasThrown { self.reason = reason }
        }

        mutating func take(_ event: StreamState.Event) {
            switch event {
            case .lose(let why): go(to: .closing, because: why)
            case .abort(let why), .receivingBroke(let why), .sendingBroke(let why): go(to: .ending, because: why)
            case .end(let why): go(to: .lost, because: why)
            case .threw(let error):
                guard stage != .lost else { return }
                go(to: .closing, because: .failed(error))
                if !hasThrown { reason = .failed(error) }
                hasThrown = true
            case .loseWrite:
                if isReadClosed { go(to: .closing, because: .done) }
                isWriteClosed = true
            case .peerClosed(let halfCloseable):
                if !halfCloseable || isWriteClosed { go(to: .closing, because: .done) }
                isReadClosed = true
            case .settle, .pause, .resume: break
            }
        }
    }

    @Test(arguments: UInt64(1)...20)
    func whateverHappensTheLossIsToldOnceAndNothingIsDeliveredAfterClosing(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<100 { live(seed, &generator) }
    }

    /// One connection's life, of random events.
    private func live(_ seed: UInt64, _ generator: inout SeededGenerator) {
        let halfCloseable = Bool.random(using: &generator)
        var state = StreamState()
        var model = Model()
        var history: [Event] = []
        var tellings = Actions()
        var lossCount = 0

        func take(_ event: Event) {
            history.append(event)
            let before = state
            let actions = state.take(event)
            model.take(event)
            func story() -> Comment { "seed \(seed): \(history)" }
            for once in [Actions.tellReadLost, .tellWriteLost, .shutdownWriting, .readRest, .reset] where actions.contains(once) {
                #expect(!tellings.contains(once), "twice; \(story())")
                tellings.insert(once)
            }
            if actions.contains(.tellLost) {
                lossCount += 1
                #expect(state.phase == .lost, story())
                #expect(actions.contains(.linger) != actions.contains(.release), story())
                #expect(state.reason == model.reason, story())
                #expect(state.reason.underlying as? Refusal == model.reason.underlying as? Refusal, story())
                model.stage = .lost
            }
            #expect(lossCount == (state.phase == .lost ? 1 : 0), story())
            // States only go on, and what is over does not begin again.
            #expect(state.visible.rawValue >= before.visible.rawValue, story())
            #expect(state.visible == .connected || !state.takesInput, story())
            #expect(!state.takesOutput || before.takesOutput, story())
            #expect(!state.sends || before.sends || before.phase == .writeClosed, story())
            #expect(!actions.contains(.startReading) || state.takesInput, story())
            if before.phase == .lost { #expect(actions.isSubset(of: .release), story()) }
            // As a transport does: what comes before the end is delivered, whose callback may do something, too.
            if actions.contains(.readRest) { takeAny(of: 5) }
            if actions.contains(.settleNow) { take(.settle(hasOutput: Bool.random(using: &generator))) }
        }

        /// One of the first so many events: those that callbacks cause come first.
        func takeAny(of count: Int) {
            switch Int.random(in: 0..<count, using: &generator) {
            case 0: take(.lose([.done, .timedOut].randomElement(using: &generator) ?? .done))
            case 1: take(.abort([.aborted, .unsentLimit].randomElement(using: &generator) ?? .aborted))
            case 2: take(.threw(Refusal(number: history.count)))
            case 3: take(.pause)
            case 4: take(.resume)
            case 5: take(.loseWrite)
            case 6: take(.peerClosed(halfCloseable: halfCloseable))
            case 7: take(.receivingBroke(.lost))
            // Only who sends meets a failure.
            case 8: if state.sends { take(.sendingBroke(.lost)) }
            case 9: take(.settle(hasOutput: true))
            case 10: take(.settle(hasOutput: false))
            default: if Bool.random(using: &generator) { take(.end(.reactorStopped)) }
            }
        }

        for _ in 0..<Int.random(in: 1...12, using: &generator) { takeAny(of: 12) }
        // Whatever it was, closing it now, or having closed it before, ends it when the output has left.
        take(.lose(.done))
        for _ in 0..<3 { take(.settle(hasOutput: false)) }
        #expect(state.phase == .lost, "seed \(seed): \(history)")
    }

    @Test func aStreamWithOneDirectionBeginsWhereOneStandsWhoseOtherHalfHasClosed() {
        var reading = StreamState(hasInput: true, hasOutput: false)
        #expect(reading.phase == .writeClosed)
        #expect(reading.takesInput && !reading.takesOutput)
        #expect(reading.take(.peerClosed(halfCloseable: true)) == [.stopReading, .settleNow])
        #expect(reading.take(.settle(hasOutput: false)) == [.tellLost, .linger])
        #expect(reading.reason == .done)

        var writing = StreamState(hasInput: false, hasOutput: true)
        #expect(writing.phase == .readClosed)
        #expect(!writing.takesInput && writing.takesOutput)
        #expect(writing.take(.loseWrite) == [.stopReading, .settleLater])
        #expect(writing.take(.settle(hasOutput: false)) == [.tellLost, .linger])

        #expect(StreamState(hasInput: true, hasOutput: true).phase == .open)
    }
}
