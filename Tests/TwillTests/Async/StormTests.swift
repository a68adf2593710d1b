import Synchronization
import TestSupport
import Testing

@testable import Twill

/// Connections and tasks that are dropped, cancelled, closed, reset and stopped in any order: nothing traps, every handler ends once, and nothing
/// is left.
@Suite("Everything ends, in whatever order", .nothingLivesOn)
struct StormTests {
    /// What happened to the handlers of one storm.
    private struct Tally {
        var begun = 0
        var ended = 0
        var clients = 0
    }

    private struct Failed: Error {}

    /// What a handler or a client's task does with its connection.
    private enum Deed: CaseIterable {
        case echo, readOne, readAndDrop, writeMuch, abort, close, closeWrite, fail, sleep, timeOut, readTwice, returnAtOnce, stopServer

        func doIt(_ connection: Connection) async throws {
            switch self {
            case .echo: for try await chunk in connection.chunks { try await connection.write(chunk) }
            case .readOne: _ = try await connection.readChunk()
            case .readAndDrop:
                var lines = connection.lines.makeAsyncIterator()
                _ = try await lines.next()
            case .writeMuch: for _ in 0..<20 { try await connection.write([UInt8](repeating: 0x61, count: 100_000)) }
            case .abort: connection.abort()
            case .close:
                connection.close()
                _ = try await connection.readChunk()
            case .closeWrite:
                connection.closeWrite()
                _ = try await connection.waitForEnd()
            case .fail: throw Failed()
            case .sleep: try await connection.reactor.sleep(for: .milliseconds(3))
            case .timeOut: _ = try await connection.reactor.withTimeout(.milliseconds(2)) { try await connection.readChunk() }
            case .readTwice:
                let bound = ReactorBound(connection)
                let other = connection.reactor.task { _ in try await bound.value.readChunk() }
                _ = try? await connection.readChunk()
                other.cancel()
                _ = await other.result
            case .returnAtOnce: break
            case .stopServer: connection.reactor.stop()
            }
        }
    }

    @Test(arguments: Seeds.first(60)) func everythingEnds(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        // Each side has its own choices, in the order in which connections are made.
        let serverDeeds = Mutex((0..<40).map { _ in Deed.allCases.randomElement(using: &random)! })
        let clientDeeds = (0..<12).map { _ in Deed.allCases.filter { $0 != .stopServer }.randomElement(using: &random)! }
        let cancelAfter = (0..<12).map { _ in Duration.microseconds(Int.random(in: 0...6_000, using: &random)) }
        let stopAfter = Duration.milliseconds(Int.random(in: 3...15, using: &random))
        let shutsDownFirst = Bool.random(using: &random)
        let tally = Mutex(Tally())
        try withReactor { reactor in
            let server = try reactor.listen("tcp:127.0.0.1:0", shutdownTimeout: .milliseconds(200)) { connection in
                tally.withLock { $0.begun += 1 }
                defer { tally.withLock { $0.ended += 1 } }
                let deed = serverDeeds.withLock { $0.popLast() ?? .returnAtOnce }
                try await deed.doIt(connection)
            }
            let endpoint = "tcp:127.0.0.1:\(server.port.number)"
            for (deed, after) in zip(clientDeeds, cancelAfter) {
                let client = reactor.task { reactor in
                    defer { tally.withLock { $0.clients += 1 } }
                    let connection = try await reactor.connect(endpoint)
                    try await connection.write("hello\r\n")
                    try await deed.doIt(connection)
                }
                reactor.callLater(after) { client.cancel() }
            }
            // What waits in a reactor must not keep it.
            reactor.callLater(stopAfter) { [unowned reactor, weak server] in
                guard shutsDownFirst, let server else { return reactor.stop() }
                let bound = ReactorBound(server)
                reactor.task { reactor in
                    await bound.value.shutDown(within: .milliseconds(100))
                    reactor.stop()
                }
            }
        }
        let counts = tally.withLock { $0 }
        #expect(counts.begun == counts.ended)
        #expect(counts.clients == clientDeeds.count)
    }
}
