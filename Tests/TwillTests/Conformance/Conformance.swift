import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// The suite of what every stream connection and every reactor promises, run on each ``StreamKind``.
///
/// Each case is named after its promise. Those that stand in the catalogue of cases carry the number of their row: T for closing and writing,
/// P for flow control, K for connecting and listening, R for reactors.
@Suite(.nothingLivesOn) enum Conformance {}

extension Conformance {
    /// What a test's callbacks throw.
    struct Refusal: Error, Equatable {
        var number = 0
    }

    /// More than the system takes for a peer that does not read, and less than may wait.
    static let tooMuch = bytes(9_000_000)

    /// So many bytes, no piece of which looks like its neighbour: 251 is prime.
    static func bytes(_ count: Int) -> [UInt8] {
        let block = [UInt8]((0..<251 * 251).map { UInt8($0 % 251) })
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count + block.count)
        // Whole blocks, because a loop over millions of bytes takes long in a debug build.
        while bytes.count < count { bytes += block }
        bytes.removeLast(bytes.count - count)
        return bytes
    }

    /// Expects many bytes to be these. In one call, and without printing them: a debug build takes long for either.
    static func expectSame(_ bytes: [UInt8], as expected: [UInt8], sourceLocation: SourceLocation = #_sourceLocation) {
        let isSame = unsafe bytes.withUnsafeBytes { left in
            unsafe expected.withUnsafeBytes { right in
                guard left.count == right.count, let start = left.baseAddress, let other = right.baseAddress else {
                    return bytes == expected
                }
                return unsafe memcmp(start, other, left.count) == 0
            }
        }
        if !isSame {
            let start = zip(bytes, expected).prefix { $0 == $1 }.count
            Issue.record("\(bytes.count) bytes instead of \(expected.count) differ from number \(start) on", sourceLocation: sourceLocation)
        }
    }

    /// Runs a reactor of a kind until the test stops it, and checks what holds for each that has stopped: nothing is open, and no error was
    /// logged that the test does not expect.
    @discardableResult
    static func withReactor<Outcome>(
        on kind: StreamKind, log: RecordedLog = RecordedLog(), errors: Int = 0, sourceLocation: SourceLocation = #_sourceLocation,
        _ setUp: (any Reactor) throws -> Outcome
    ) throws -> Outcome {
        let reactor = try kind.makeReactor(log: log)
        let outcome = try setUp(reactor)
        try reactor.runToStop(sourceLocation: sourceLocation)
        reactor.expectNothingOpen(sourceLocation: sourceLocation)
        let logged = log.entries.filter { $0.hasPrefix("error:") }
        #expect(logged.count == errors, "\(logged)", sourceLocation: sourceLocation)
        return outcome
    }

    /// Joins a server's and a client's recorder by a connection of a kind, runs until both were told of its loss, and checks what holds for
    /// every connection.
    @discardableResult
    static func withPair(
        on kind: StreamKind, server: Recorder = Recorder(), client: Recorder = Recorder(),
        serverOptions: TransportOptions = TransportOptions(), clientOptions: TransportOptions = TransportOptions(),
        log: RecordedLog = RecordedLog(), errors: Int = 0, sourceLocation: SourceLocation = #_sourceLocation,
        _ arrange: (Pair) throws -> Void = { _ in }
    ) throws -> Pair {
        let pair = try withReactor(on: kind, log: log, errors: errors, sourceLocation: sourceLocation) { reactor in
            let pair = try Pair(
                reactor, on: kind, server: server, client: client, serverOptions: serverOptions, clientOptions: clientOptions)
            try arrange(pair)
            return pair
        }
        for end in [server, client] { end.expectWholeLife(sourceLocation: sourceLocation) }
        let connections = pair.reactor.statistics.connections
        #expect(connections.closed == connections.accepted + connections.connected, sourceLocation: sourceLocation)
        return pair
    }
}

extension Reactor {
    /// Nothing is open, or waits, in a reactor that has stopped.
    func expectNothingOpen(sourceLocation: SourceLocation = #_sourceLocation) {
        let connections = statistics.connections
        #expect(connections.open == 0, sourceLocation: sourceLocation)
        #expect(connections.unsentBytes == 0, sourceLocation: sourceLocation)
        #expect(connections.pausedProducers == 0, sourceLocation: sourceLocation)
        if let reactor = self as? LibeventReactor { #expect(reactor.openCount == 0, "sockets are open", sourceLocation: sourceLocation) }
    }
}

extension Recorder {
    /// It was told once that it is connected, then whatever came, then once that it is lost, and then nothing.
    func expectWholeLife(sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(events.first == .made, "\(events)", sourceLocation: sourceLocation)
        #expect(events.count { $0 == .made } == 1, "\(events)", sourceLocation: sourceLocation)
        #expect(lossCount == 1, "\(events)", sourceLocation: sourceLocation)
        #expect(events.last == reason.map { .lost($0) }, "\(events)", sourceLocation: sourceLocation)
        #expect(transport.state == .disconnected, sourceLocation: sourceLocation)
    }
}
