import Foundation
import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

#if os(Linux)
@Suite(
    "What a child of the tests of standard input and output does", .nothingLivesOn,
    .enabled(if: childRole != nil, "this is for children of other tests"))
struct StandardIOChild {
    private final class Echo: Twill::Protocol {
        override func dataReceived(_ data: Span<UInt8>) { transport.write(data) }

        override func connectionLost(_ reason: ConnectionLost) {
            sayToParent("lost: \(reason)")
            transport.reactor.stop()
        }
    }

    private final class Summary: Twill::Protocol, HalfCloseableProtocol {
        private var count = 0

        override func dataReceived(_ data: Span<UInt8>) { count += data.count }

        func readConnectionLost() {
            transport.write("\(count) bytes\n")
            transport.loseConnection()
        }

        func writeConnectionLost() {}

        override func connectionLost(_ reason: ConnectionLost) {
            sayToParent("lost: \(reason)")
            transport.reactor.stop()
        }
    }

    @Test func servesStandardIOAsAChild() throws {
        let reactor = try LibeventReactor()
        let factory = Factory { childRole == "summary" ? Summary() : Echo() }
        reactor.callWhenRunning {
            let port = try reactor.listen(Endpoint("stdio:"), factory: factory)
            sayToParent("address: \(port.address), accepted \(port.statistics.accepted)")
            do {
                try reactor.listen(Endpoint("stdio"), factory: factory)
            } catch {
                sayToParent("second: \(error)")
            }
        }
        try reactor.run(installSignalHandlers: false)
        sayToParent("uses: \(factory.userCount)")
        // The next file must not get the number of one of the three.
        let file = systemOpen("/etc/passwd", O_RDONLY)
        sayToParent("opened: \(file > 2 ? "above" : "\(file)")")
        exit(0)
    }
}

@Suite("Standard input and output of a program", .nothingLivesOn) struct StandardIOTests {
    /// Runs this program again, as a server of its standard input and output; what it says of itself.
    private func run(
        _ role: String, _ descriptors: [CInt: ProcessCommand.Descriptor], _ setUp: (ProcessRecorder) -> Void = { _ in }
    ) throws -> ProcessRecorder {
        var command = thisProgram(as: role, test: "servesStandardIOAsAChild")
        command.descriptors = descriptors
        command.descriptors[2] = .parentReads
        let child = try withProcess(command) { child, _ in setUp(child) }
        #expect(child.end?.isClean == true, "\(child.events)")
        #expect(child.text(2).contains("role opened: above\n"))
        #expect(child.text(2).contains("role uses: 0\n"))
        #expect(child.text(2).contains("role address: standard input and output, accepted 1\n"))
        #expect(
            child.text(2).contains(
                "role second: Couldn't listen on standard input and output: it is one connection, which has been served already"))
        return child
    }

    @Test func anEchoOverPipesEndsWithItsInput() throws {
        let bytes = Conformance.bytes(2_000_000)
        let child = try run("echo", [0: .parentWrites, 1: .parentReads]) { child in
            child.whenMade = { child in
                child.transport.write(bytes)
                child.transport.closeStdin()
            }
        }
        Conformance.expectSame(child.received[1] ?? [], as: bytes)
        #expect(child.text(2).contains("role lost: the connection was closed cleanly\n"))
    }

    @Test func filesAreCopied() throws {
        let bytes = Conformance.bytes(2_000_000)
        let path = "\(NSTemporaryDirectory())/twill-stdio-\(UUID())"
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        try Data().write(to: URL(fileURLWithPath: path + ".out"))
        let (input, output) = (systemOpen(path, O_RDONLY), systemOpen(path + ".out", O_WRONLY))
        defer {
            for descriptor in [input, output] { systemClose(descriptor) }
            for file in [path, path + ".out"] { try? FileManager.default.removeItem(atPath: file) }
        }
        let child = try run("echo", [0: .inherited(input), 1: .inherited(output)])
        Conformance.expectSame([UInt8](try Data(contentsOf: URL(fileURLWithPath: path + ".out"))), as: bytes)
        #expect(child.text(2).contains("role lost: the connection was closed cleanly\n"))
    }

    @Test func theNullDeviceIsAnEndAtOnce() throws {
        let null = systemOpen("/dev/null", O_RDWR)
        defer { systemClose(null) }
        let child = try run("echo", [0: .inherited(null), 1: .inherited(null)])
        #expect(child.text(2).contains("role lost: the connection was closed cleanly\n"))
    }

    @Test func aHalfCloseableProtocolAnswersAfterTheEnd() throws {
        let child = try run("summary", [0: .parentWrites, 1: .parentReads]) { child in
            child.whenMade = { child in
                child.transport.write([UInt8](repeating: 1, count: 100_000))
                child.transport.closeStdin()
            }
        }
        #expect(child.text(1) == "100000 bytes\n")
    }

    @Test func flagsThatAreSharedWithTheParentArePutBack() throws {
        let (there, back) = (try DescriptorPipe(), try DescriptorPipe())
        defer { for end in [there.reading, back.reading, back.writing] { systemClose(end) } }
        let before = (fcntl(there.reading, F_GETFL), fcntl(back.writing, F_GETFL))
        systemClose(there.writing)
        _ = try run("echo", [0: .inherited(there.reading), 1: .inherited(back.writing)])
        #expect(fcntl(there.reading, F_GETFL) == before.0)
        #expect(fcntl(back.writing, F_GETFL) == before.1)
    }
}

@Suite("Terminals", .nothingLivesOn) struct TerminalTests {
    /// A terminal: the side of whoever types, and the side of the program.
    private func terminal() throws -> (keyboard: CInt, program: CInt) {
        let keyboard = systemOpen("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
        guard keyboard >= 0 else { throw CallFailure("open") }
        var (unlocked, number): (CInt, CInt) = (0, 0)
        // TIOCSPTLCK and TIOCGPTN, which headers hide.
        guard unsafe ioctl(keyboard, 0x4004_5431, &unlocked) == 0, unsafe ioctl(keyboard, 0x8004_5430, &number) == 0 else {
            throw CallFailure("ioctl")
        }
        let program = systemOpen("/dev/pts/\(number)", O_RDWR | O_NOCTTY | O_CLOEXEC)
        guard program >= 0 else { throw CallFailure("open") }
        return (keyboard, program)
    }

    private func type(_ text: String, on keyboard: CInt) {
        _ = unsafe Array(text.utf8).withUnsafeBytes { unsafe systemWrite(keyboard, $0) }
    }

    @Test(arguments: [true, false]) func linesAreReadAndFlagsArePutBack(endsByKey: Bool) throws {
        let (keyboard, program) = try terminal()
        defer { for end in [keyboard, program] { systemClose(end) } }
        // One terminal under two numbers, as a shell hands it down.
        let (input, output) = (dup(program), dup(program))
        let adopted = [input, output].map(OpenFile.init)
        let before = fcntl(program, F_GETFL)
        let recorder = HalfCloseableRecorder()
        recorder.whenMade = { _ in
            #expect(fcntl(program, F_GETFL) & O_NONBLOCK != 0)
            type("hello\n", on: keyboard)
        }
        recorder.whenData = { recorder in
            // The half that closes first must not put back what the other one needs.
            recorder.transport.loseWriteConnection()
        }
        recorder.whenWriteLost = { recorder in
            #expect(fcntl(program, F_GETFL) & O_NONBLOCK != 0)
            if endsByKey { type("\u{4}", on: keyboard) } else { recorder.transport.loseConnection() }
        }
        try withReactor { reactor in
            recorder.whenLost = { [unowned reactor] _, _ in reactor.afterTurns(2) { reactor.stop() } }
            try reactor.adoptStreamConnection(over: PipeBinding(input: input, output: output), protocol: recorder)
        }
        #expect(recorder.events == [.made, .data("hello\n"), .writeLost, .lost(.done)])
        #expect(fcntl(program, F_GETFL) == before)
        #expect(adopted.allSatisfy { !$0.isOpen })
    }

    @Test func aTerminalWhoseProgramIsGoneIsAnEnd() throws {
        let (keyboard, program) = try terminal()
        let recorder = Recorder()
        recorder.whenMade = { _ in
            type("bye\n", on: program)
            systemClose(program)
        }
        try withReactor { reactor in
            recorder.whenLost = { [unowned reactor] _, _ in reactor.afterTurns(2) { reactor.stop() } }
            try reactor.adoptStreamConnection(over: PipeBinding(input: keyboard, output: dup(keyboard)), protocol: recorder)
        }
        #expect(recorder.events == [.made, .data("bye\r\n"), .lost(.done)])
    }

    @Test func aTerminalThatIsHungUpIsAnEnd() throws {
        let (keyboard, program) = try terminal()
        let recorder = Recorder()
        recorder.whenMade = { _ in systemClose(keyboard) }
        try withReactor { reactor in
            recorder.whenLost = { [unowned reactor] _, _ in reactor.afterTurns(2) { reactor.stop() } }
            try reactor.adoptStreamConnection(over: PipeBinding(input: program, output: dup(program)), protocol: recorder)
        }
        #expect(recorder.events == [.made, .lost(.done)])
    }
}
#endif
