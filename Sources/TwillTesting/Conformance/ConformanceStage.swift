import Foundation
import Twill

/// Where a conformance case is played: it makes reactors and connections of its subject, and notes what is not as it should be.
final class ConformanceStage {
    /// A case can't go on; why is among the problems.
    struct Stopped: Error {}

    let subject: ConformanceSubject
    private(set) var problems: [String] = []
    private(set) var transcript: [String] = []

    init(_ subject: ConformanceSubject) {
        self.subject = subject
    }

    var headerByteCount: Int { subject.headerByteCount }

    /// What a peer hears of an abort.
    var lossByAbort: ConnectionLost { resets ? .lost : .done }

    var resets: Bool { subject.abilities.contains(.resets) }

    /// Listens where nobody else does.
    func listen(_ reactor: any Reactor, factory: Factory, options: TransportOptions = TransportOptions()) throws -> any ListeningPort {
        try subject.listen(reactor, factory, options)
    }

    /// Connects to a port that ``listen(_:factory:options:)`` returned; it may have closed meanwhile.
    func connect(
        _ reactor: any Reactor, to port: any ListeningPort, factory: ClientFactory, options: TransportOptions = TransportOptions()
    ) throws -> Connector {
        try subject.connect(reactor, port, factory, options)
    }

    // What is expected.

    func fail(_ problem: String, file: StaticString = #fileID, line: UInt = #line) {
        problems.append("\(file):\(line): \(problem)")
    }

    func expect(_ holds: Bool, _ comment: @autoclosure () -> String = "", file: StaticString = #fileID, line: UInt = #line) {
        if !holds { fail(comment().isEmpty ? "what is expected here does not hold" : comment(), file: file, line: line) }
    }

    func expect<Failure: Error & Equatable>(
        throws expected: Failure, file: StaticString = #fileID, line: UInt = #line, _ body: () throws -> Void
    ) {
        do {
            try body()
            fail("nothing was thrown instead of \(expected)", file: file, line: line)
        } catch {
            if error as? Failure != expected { fail("\(error) was thrown instead of \(expected)", file: file, line: line) }
        }
    }

    /// Does what may not throw.
    func expectNoError(file: StaticString = #fileID, line: UInt = #line, _ body: () throws -> Void) {
        do {
            try body()
        } catch {
            fail("\(error) was thrown", file: file, line: line)
        }
    }

    /// Expects many bytes to be these, without printing them.
    func expectSame(_ bytes: [UInt8], as expected: [UInt8], file: StaticString = #fileID, line: UInt = #line) {
        // As Data, which compares in one call; a debug build takes long for millions of elements.
        guard Data(bytes) != Data(expected) else { return }
        let start = zip(bytes, expected).prefix { $0 == $1 }.count
        fail("\(bytes.count) bytes instead of \(expected.count) differ from number \(start) on", file: file, line: line)
    }

    func require<Value>(_ value: Value?, file: StaticString = #fileID, line: UInt = #line) throws -> Value {
        guard let value else {
            fail("there is nothing here", file: file, line: line)
            throw Stopped()
        }
        return value
    }

    /// The processor time that this thread has used, for those who look for a loop that spins.
    var threadProcessorTime: Duration { subject.threadProcessorTime?() ?? .zero }

    // The transcript.

    /// Writes down what somebody was told.
    func tell(_ who: String, _ events: [some Any]) {
        transcript += events.map { "\(who): \($0)" }
    }

    func tell(_ who: String, _ recorder: Recorder) {
        tell(who, recorder.story)
    }

    // The reactors.

    /// Runs a new reactor until the case stops it, and expects what holds for each that has stopped: nothing is open, and no error was logged but those
    /// that the case asks for.
    @discardableResult
    func withReactor<Outcome>(
        log: RecordedLog = RecordedLog(), errors: Int = 0, file: StaticString = #fileID, line: UInt = #line,
        _ setUp: (any Reactor) throws -> Outcome
    ) throws -> Outcome {
        let reactor = try subject.makeReactor(log.logger)
        let outcome = try setUp(reactor)
        let alarm = reactor.callLater(.seconds(20)) { [unowned self, unowned reactor] in
            fail("the reactor was not stopped within 20 seconds", file: file, line: line)
            reactor.stop()
        }
        try reactor.run(installSignalHandlers: false)
        alarm.cancelIfActive()
        let connections = reactor.statistics.connections
        expect(connections.open == 0, "connections are open when the reactor has stopped", file: file, line: line)
        expect(connections.unsentBytes == 0, "bytes are unsent when the reactor has stopped", file: file, line: line)
        expect(connections.pausedProducers == 0, "producers are paused when the reactor has stopped", file: file, line: line)
        if let leftover = subject.leftover(reactor) { fail(leftover, file: file, line: line) }
        let logged = log.entries.filter { $0.hasPrefix("error:") }
        expect(logged.count == errors, "errors were logged: \(logged)", file: file, line: line)
        return outcome
    }

    /// Joins a server's and a client's recorder, runs until both were told of the loss, and expects what holds for every connection.
    @discardableResult
    func withPair(
        server: Recorder = Recorder(), client: Recorder = Recorder(), serverOptions: TransportOptions = TransportOptions(),
        clientOptions: TransportOptions = TransportOptions(), log: RecordedLog = RecordedLog(), errors: Int = 0,
        file: StaticString = #fileID, line: UInt = #line, _ arrange: (ConformancePair) throws -> Void = { _ in }
    ) throws -> ConformancePair {
        let pair = try withReactor(log: log, errors: errors, file: file, line: line) { reactor in
            let pair = try ConformancePair(
                reactor, on: self, server: server, client: client, serverOptions: serverOptions, clientOptions: clientOptions)
            try arrange(pair)
            return pair
        }
        for (name, end) in [("server", server), ("client", client)] {
            tell(name, end)
            expectWholeLife(end, file: file, line: line)
        }
        let connections = pair.reactor.statistics.connections
        expect(
            connections.closed == connections.accepted + connections.connected, "not each connection that was made is counted as closed",
            file: file, line: line)
        return pair
    }

    /// It was told once that it is connected, then whatever came, then once that it is lost, and then nothing.
    func expectWholeLife(_ end: Recorder, file: StaticString = #fileID, line: UInt = #line) {
        let events = end.events
        let isWhole =
            events.first == .made && events.count { $0 == .made } == 1 && end.lossCount == 1 && events.last == end.reason.map { .lost($0) }
        expect(isWhole, "what a protocol was told is no whole life: \(events)", file: file, line: line)
        expect(end.transport.state == .disconnected, "a lost transport says that it is \(end.transport.state)", file: file, line: line)
    }
}

/// More than a system takes for a peer that does not read, and less than may wait.
let tooMuch = conformanceBytes(9_000_000)

/// So many bytes, no piece of which looks like its neighbour: 251 is prime.
func conformanceBytes(_ count: Int) -> [UInt8] {
    let block = [UInt8]((0..<251 * 251).map { UInt8($0 % 251) })
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count + block.count)
    // Whole blocks, because a loop over millions of bytes takes long in a debug build.
    while bytes.count < count { bytes += block }
    bytes.removeLast(bytes.count - count)
    return bytes
}

/// What callbacks of the cases throw.
struct Refusal: Error, Equatable {
    var number = 0
}

/// Text of at most eight characters as what goes before or behind a frame.
func edge(_ text: String) -> FrameEdge {
    FrameEdge(Array(text.utf8)) ?? .none
}
