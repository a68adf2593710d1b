import Synchronization
import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

/// What becomes of tasks and connections that are cancelled, stopped or dropped, in any order.
@Suite("Lifetimes of tasks and connections", .nothingLivesOn)
struct LifetimeTests {
    @Test func cancellingATaskThatReadsClosesItsConnection() throws {
        let (listener, number) = try RawSocket.listener(backlog: 1)
        let outcome = Mutex<(any Error)?>(nil)
        try withReactor { reactor in
            let task = reactor.task { reactor in
                let connection = try await reactor.connect("tcp:127.0.0.1:\(number)")
                try await connection.write("x")
                do {
                    for try await _ in connection.chunks {}
                } catch {
                    outcome.withLock { $0 = error }
                }
                #expect(connection.transport.state != .connected)
            }
            reactor.runClient {
                let peer = try listener.accept()
                try #require(peer.receiveText(1) == "x")
                task.cancel()
                try #require(peer.receiveToEnd() == [])
                peer.close()
                listener.close()
            }
        }
        #expect(outcome.withLock { $0 } is CancellationError)
    }

    @Test func cancellingATaskThatWritesClosesItsConnection() throws {
        let (listener, number) = try RawSocket.listener(backlog: 1)
        let outcome = Mutex<(any Error)?>(nil)
        let isFull = Atomic(false)
        try withReactor { reactor in
            let task = reactor.task { reactor in
                let connection = try await reactor.connect("tcp:127.0.0.1:\(number)")
                connection.transport.write([UInt8](repeating: 0x2E, count: 12 << 20))
                isFull.store(true, ordering: .relaxed)
                do {
                    try await connection.write("more")
                } catch {
                    outcome.withLock { $0 = error }
                }
                connection.abort()
            }
            reactor.when {
                isFull.load(ordering: .relaxed)
            } then: {
                task.cancel()
            }
            reactor.runClient {
                let peer = try listener.accept()
                // It reads when the other side has given up.
                while outcome.withLock({ $0 == nil }) { pauseThread(.milliseconds(1)) }
                _ = try? peer.receiveToEnd()
                peer.close()
                listener.close()
            }
        }
        #expect(outcome.withLock { $0 } is CancellationError)
    }

    /// Never answers.
    private final class SilentResolver: Resolver {
        func resolve(
            _ name: String, on reactor: any Reactor, completion: @escaping (Result<[Address], ResolveError>) -> Void
        ) -> () -> Void { {} }
    }

    @Test func cancellingAnAttemptToConnectEndsIt() throws {
        let outcome = Mutex<(any Error)?>(nil)
        try withReactor { reactor in
            reactor.resolver = SilentResolver()
            let task = reactor.task { reactor in
                do {
                    _ = try await reactor.connect("tcp:example.com:80")
                } catch {
                    outcome.withLock { $0 = error }
                }
                reactor.stop()
            }
            reactor.callLater(.milliseconds(20)) { task.cancel() }
        }
        #expect(outcome.withLock { $0 } is CancellationError)
    }

    @Test func aReactorThatStopsCancelsItsHandlersAndWaitsForThem() throws {
        let events = Mutex<[String]>([])
        let client = Mutex<RawSocket?>(nil)
        try withReactor { reactor in
            let port = try reactor.listen("tcp:127.0.0.1:0") { connection in
                do {
                    for try await _ in connection.lines { connection.reactor.stop() }
                } catch {
                    events.withLock { $0.append("\(type(of: error))") }
                    // Tidying up may take a while, and is waited for; this task is cancelled, so it asks another one.
                    let reactor = connection.reactor
                    await reactor.task { reactor in try? await reactor.sleep(for: .milliseconds(30)) }.result.ignore()
                    events.withLock { $0.append("tidied") }
                }
            }.port.number
            reactor.inBackground {
                let socket = try RawSocket(connectedTo: port)
                client.withLock { $0 = socket }
                try socket.send("stop\r\n")
            }
        }
        events.withLock { $0.append("stopped") }
        client.withLock { $0?.close() }
        #expect(events.withLock { $0 } == ["CancellationError", "tidied", "stopped"])
    }

    @Test func handlersThatDoNotEndAreLeftBehindAfterTheDeadline() throws {
        let began = Atomic(false)
        let ended = Atomic(false)
        let peer = Mutex<RawSocket?>(nil)
        do {
            let reactor = try LibeventReactor(logger: RecordedLog().logger)
            let port = try reactor.listen("tcp:127.0.0.1:0", shutdownTimeout: .milliseconds(50)) { connection in
                began.store(true, ordering: .relaxed)
                // It does not hear that it was cancelled.
                while connection.reason == nil { await Task.yield() }
                ended.store(true, ordering: .relaxed)
            }.port.number
            reactor.inBackground { peer.withLock { $0 = try? RawSocket(connectedTo: port) } }
            reactor.when {
                began.load(ordering: .relaxed)
            } then: { [unowned reactor] in
                reactor.stop()
            }
            try reactor.runToStop()
        }
        // The connection was aborted at the deadline, and so the handler came to its end all the same, at the latest with the reactor.
        let hasEnded = ended.load(ordering: .relaxed)
        #expect(hasEnded)
        peer.withLock { $0?.close() }
    }

    @Test func tasksOfAReactorThatIsGoneEnd() async throws {
        let task: Task<String, any Error>
        do {
            let reactor = try LibeventReactor(logger: RecordedLog().logger)
            // It never runs.
            task = reactor.task { _ in "ran" }
        }
        let error = await #expect(throws: ReactorError.self) { try await task.value }
        #expect(error.map { if case .gone = $0 { true } else { false } } == true)
    }

    @Test func aTaskThatAlwaysYieldsLetsOthersBeServed() throws {
        try withReactor { reactor in
            let port = try reactor.listen("tcp:127.0.0.1:0") { connection in
                for try await chunk in connection.chunks { try await connection.write(chunk) }
            }.port.number
            let spinning = reactor.task { _ in while !Task.isCancelled { await Task.yield() } }
            reactor.runClient {
                let client = try RawSocket(connectedTo: port)
                for _ in 0..<20 {
                    try client.send("ping")
                    try #require(client.receiveText(4) == "ping")
                }
                client.close()
                spinning.cancel()
            }
        }
    }

    @Test func aServerThatShutsDownCancelsWhatItServes() throws {
        let reasons = Mutex<[String]>([])
        try withReactor { reactor in
            let server = try reactor.listen("tcp:127.0.0.1:0") { connection in
                do {
                    for try await _ in connection.chunks {}
                } catch {
                    reasons.withLock { $0.append("\(type(of: error))") }
                }
            }
            let port = server.port.number
            let bound = ReactorBound(server)
            reactor.when {
                server.connectionCount == 2
            } then: {
                reactor.task { reactor in
                    await bound.value.shutDown()
                    reasons.withLock { $0.append("\(bound.value.connectionCount) left") }
                }
            }
            reactor.runClient {
                let clients = try (0..<2).map { _ in try RawSocket(connectedTo: port) }
                for client in clients {
                    try #require(client.receiveToEnd() == [])
                    client.close()
                }
            }
        }
        #expect(reasons.withLock { $0 } == ["CancellationError", "CancellationError", "0 left"])
    }
}

extension Result {
    fileprivate func ignore() {}
}
