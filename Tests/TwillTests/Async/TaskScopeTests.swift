import Synchronization
import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

/// Who of the tasks that wait is woken when one of them is cancelled.
@Suite("Tasks that are cancelled where they wait", .nothingLivesOn)
struct TaskScopeTests {
    /// Serves one connection that says nothing until it sees its end, and waits until that has happened.
    private func serveSilentPeer(
        shutsDown: Bool = false, _ handler: @escaping @Sendable (Connection) async throws -> Void
    ) throws {
        try withReactor { reactor in
            let server = try reactor.listen("tcp:127.0.0.1:0", handler: handler)
            let port = server.port.number
            if shutsDown {
                let bound = ReactorBound(server)
                reactor.when {
                    server.connectionCount == 1
                } then: {
                    // The handler waits already.
                    reactor.afterTurns(3) { reactor.task { _ in await bound.value.shutDown() } }
                }
            }
            reactor.runClient {
                let peer = try RawSocket(connectedTo: port)
                try #require(peer.receiveToEnd() == [])
                peer.close()
            }
        }
    }

    @Test func anotherTaskThanTheHandlerIsWokenWhenItIsCancelled() throws {
        let outcome = Mutex<[String]>([])
        try serveSilentPeer { connection in
            let bound = ReactorBound(connection)
            let reader = connection.reactor.task { _ in try await bound.value.readChunk() }
            try await connection.reactor.sleep(for: .milliseconds(5))
            reader.cancel()
            let result = await reader.result
            outcome.withLock { $0.append("\(result)") }
        }
        #expect(outcome.withLock { $0 } == ["failure(Swift.CancellationError())"])
    }

    @Test func aTaskThatTheReactorDidNotStartIsWokenWhenItIsCancelled() throws {
        let outcome = Mutex<[String]>([])
        try serveSilentPeer { connection in
            let bound = ReactorBound(connection)
            let reader = Task(executorPreference: connection.reactor.handle) { try await bound.value.readChunk() }
            try await connection.reactor.sleep(for: .milliseconds(5))
            reader.cancel()
            let result = await reader.result
            outcome.withLock { $0.append("\(result)") }
        }
        #expect(outcome.withLock { $0 } == ["failure(Swift.CancellationError())"])
    }

    @Test func childrenOfAHandlerAreCancelledWithIt() throws {
        let outcome = Mutex<[String]>([])
        try serveSilentPeer(shutsDown: true) { connection in
            let bound = ReactorBound(connection)
            await withTaskGroup(of: Void.self) { group in
                group.addTask { @Sendable in
                    let result = await Result { try await bound.value.readChunk() }
                    outcome.withLock { $0.append("\(result)") }
                }
            }
            outcome.withLock { $0.append("\(Task.isCancelled)") }
        }
        #expect(outcome.withLock { $0 } == ["failure(Swift.CancellationError())", "true"])
    }

    @Test(arguments: 0..<3) func everyWaitOfAHandlerEndsWithIt(kind: Int) throws {
        let outcome = Mutex<[String]>([])
        try serveSilentPeer(shutsDown: true) { connection in
            do {
                switch kind {
                case 0: try await connection.reactor.sleep(for: .seconds(1000))
                case 1: _ = try await connection.waitForEnd()
                default: _ = try await connection.reactor.withTimeout(.seconds(1000)) { try await connection.readChunk() }
                }
            } catch {
                outcome.withLock { $0.append("\(error)") }
            }
            // And what it asks for afterwards does not begin.
            do {
                try await connection.reactor.sleep(for: .seconds(1000))
            } catch {
                outcome.withLock { $0.append("\(error)") }
            }
        }
        #expect(outcome.withLock { $0 } == ["CancellationError()", "CancellationError()"])
    }

    @Test func aTaskThatIsCancelledInTheTurnThatWakesItGetsItsInput() throws {
        // Input and cancellation come in one callback: what has arrived is not lost, and the next wait fails.
        let seen = Mutex<[String]>([])
        try serveSilentPeer { connection in
            let bound = ReactorBound(connection)
            let reader = connection.reactor.task { reactor in
                let connection = bound.value
                connection.intake.scope = reactor.handle.currentScope
                for _ in 0..<2 {
                    let chunk = await Result { try await connection.readChunk() }
                    seen.withLock { $0.append("\(chunk)") }
                }
            }
            connection.reactor.callLater(.milliseconds(5)) {
                let input: [UInt8] = [1, 2]
                bound.value.intake.dataReceived(input.span)
                reader.cancel()
            }
            _ = await reader.result
        }
        #expect(seen.withLock { $0 } == ["success(Optional([1, 2]))", "failure(Swift.CancellationError())"])
    }
}

extension Result where Failure == any Error {
    /// What a piece of work comes to.
    fileprivate init(_ work: () async throws -> Success) async {
        do {
            self = .success(try await work())
        } catch {
            self = .failure(error)
        }
    }
}
