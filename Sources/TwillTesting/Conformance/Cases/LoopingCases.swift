import Foundation
import Twill

/// What the loop itself promises, where the way in which it waits could make a difference.
enum LoopingCases {
    static let all: [[ConformanceCase]] = [
        .of("R04: a call of no delay is made on the next turn, after input, and in the order of setting", aCallOfNoDelay),
        .of("R10: calls from another thread wake a sleeping loop, in their order", callsFromAnotherThread),
        .of("R10: a loop with nothing to do sleeps", aLoopWithNothingToDoSleeps),
        .of("a sleeping reactor hears of input, of room to write and of timers", aSleepingReactorHears),
    ]

    static func aCallOfNoDelay(on stage: ConformanceStage) throws {
        var story: [String] = []
        try stage.withPair { pair in
            pair.client.whenMade = { $0.transport.write("hello") }
            pair.server.whenData = { server in
                // The answer lies in the client's socket when the next turn begins.
                pair.reactor.callLater(.zero) {
                    server.transport.write("answer")
                    pair.reactor.callLater(.zero) { story.append("first") }
                    pair.reactor.callLater(.milliseconds(-5)) { story.append("second") }
                    pair.reactor.callLater(.zero) {
                        story.append("third")
                        server.transport.loseConnection()
                    }
                }
            }
            pair.client.whenData = { _ in story.append("input") }
        }
        stage.expect(story == ["input", "first", "second", "third"])
    }

    /// Used on the reactor's thread alone.
    private final class Seen {
        var numbers: [Int] = []
    }

    static func callsFromAnotherThread(on stage: ConformanceStage) throws {
        let count = 1_000
        let seen = ReactorBound(Seen())
        let log = RecordedLog()
        try stage.withReactor(log: log, errors: 1) { reactor in
            let handle = reactor.handle
            reactor.deferToThread {
                for number in 0..<count {
                    // Now and then the loop has gone to sleep again by the time of the next call.
                    if number % 100 == 0 { Thread.sleep(forTimeInterval: 0.001) }
                    handle.callFromThread { reactor in
                        seen.value.numbers.append(number)
                        if number == 500 { throw Refusal() }
                        if number == count - 1 { reactor.stop() }
                    }
                }
            }.addErrback { [unowned reactor] error in
                stage.fail("\(error)")
                reactor.stop()
            }
        }
        stage.expect(seen.value.numbers == Array(0..<count))
        stage.expect(log.count(containing: "a call from a thread threw: Refusal(number: 0)") == 1)
    }

    static func aLoopWithNothingToDoSleeps(on stage: ConformanceStage) throws {
        try stage.withPair { pair in
            pair.client.whenMade = { client in
                pair.reactor.afterTurns(3) {
                    let start = stage.threadProcessorTime
                    pair.reactor.callLater(.milliseconds(100)) {
                        stage.expect(stage.threadProcessorTime - start < .milliseconds(50), "the reactor spins")
                        client.transport.loseConnection()
                    }
                }
            }
        }
    }

    static func aSleepingReactorHears(on stage: ConformanceStage) throws {
        let pair = try stage.withPair { pair in
            pair.server.whenMade = { server in
                server.transport.write(tooMuch)
                server.transport.callLater(.milliseconds(20)) { server.transport.loseConnection() }
            }
        }
        stage.expect(pair.client.received.count == tooMuch.count)
    }
}
