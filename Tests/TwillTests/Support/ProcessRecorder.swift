import Foundation
import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

/// An event of a process's life.
enum ProcessEvent: Equatable {
    case made
    case data(CInt, String)
    case lost(CInt, ConnectionLost)
    case exited(ProcessEnd)
    case ended(ProcessEnd)
}

/// A process protocol that notes what it is told, and does what the test hung on its events.
final class ProcessRecorder: ProcessProtocol {
    private(set) var events: [ProcessEvent] = []
    private(set) var received: [CInt: [UInt8]] = [:]
    var whenMade: ((ProcessRecorder) throws -> Void)?
    var whenData: ((ProcessRecorder, CInt) throws -> Void)?
    var whenLost: ((ProcessRecorder, CInt) throws -> Void)?
    var whenExited: ((ProcessRecorder) throws -> Void)?
    var whenEnded: ((ProcessRecorder) throws -> Void)?

    /// What it said on a descriptor, as text.
    func text(_ descriptor: CInt) -> String { String(decoding: received[descriptor] ?? [], as: UTF8.self) }

    /// How it ended, as `processEnded` was told.
    var end: ProcessEnd? {
        for case .ended(let end) in events { return end }
        return nil
    }

    /// Drops what was received so far.
    func forget() { received = [:] }

    /// The events without the data, whose pieces are the system's business.
    var turns: [ProcessEvent] { events.filter { if case .data = $0 { false } else { true } } }

    override func connectionMade() throws {
        events.append(.made)
        try whenMade?(self)
    }

    override func childDataReceived(_ descriptor: CInt, _ data: Span<UInt8>) throws {
        let bytes = Array(copying: data)
        received[descriptor, default: []] += bytes
        events.append(.data(descriptor, bytes.count <= 64 ? String(decoding: bytes, as: UTF8.self) : "\(bytes.count) bytes"))
        try whenData?(self, descriptor)
    }

    override func childConnectionLost(_ descriptor: CInt, _ reason: ConnectionLost) throws {
        events.append(.lost(descriptor, reason))
        try whenLost?(self, descriptor)
    }

    override func processExited(_ end: ProcessEnd) throws {
        events.append(.exited(end))
        try whenExited?(self)
    }

    override func processEnded(_ end: ProcessEnd) throws {
        events.append(.ended(end))
        defer { (whenMade, whenData, whenLost, whenExited, whenEnded) = (nil, nil, nil, nil, nil) }
        try whenEnded?(self)
    }
}

/// A shell command.
func shell(_ script: String) -> ProcessCommand { ProcessCommand("/bin/sh", arguments: ["-c", script]) }

/// Runs a reactor with one child until that has ended, and then for a few turns in which a second end would show.
@discardableResult
func withProcess(
    _ command: ProcessCommand, log: RecordedLog = RecordedLog(), deadline: Duration = .seconds(60),
    _ setUp: (ProcessRecorder, LibeventReactor) throws -> Void = { _, _ in }
) throws -> ProcessRecorder {
    let recorder = ProcessRecorder()
    try withReactor(deadline: deadline, log: log) { reactor in
        try setUp(recorder, reactor)
        let arranged = recorder.whenEnded
        recorder.whenEnded = { [unowned reactor] in
            try arranged?($0)
            reactor.afterTurns(3) { reactor.stop() }
        }
        try reactor.spawnProcess(command, protocol: recorder)
    }
    return recorder
}

#if os(Linux)
/// What a child that is this program again shall do, instead of testing.
let childRole = ProcessInfo.processInfo.environment["TWILL_TEST_ROLE"]

/// This program again, to run one of its tests alone.
func thisProgram(as role: String, test: String) -> ProcessCommand {
    ProcessCommand(
        URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().path,
        arguments: ["--testing-library", "swift-testing", "--filter", test], environment: .inherited(adding: ["TWILL_TEST_ROLE": role]))
}

/// Says a line that the parent finds among all else on standard error.
func sayToParent(_ line: String) { FileHandle.standardError.write(Data("role \(line)\n".utf8)) }
#endif
