import Foundation
import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

@Suite("Connections over pipes and files", .nothingLivesOn) struct PipeConnectionTests {
    private final class Echo: Twill::Protocol {
        override func dataReceived(_ data: Span<UInt8>) { transport.write(data) }
    }

    private func temporaryFile(_ bytes: [UInt8] = []) throws -> String {
        let path = "\(NSTemporaryDirectory())/twill-file-\(UUID())"
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        return path
    }

    /// Serves an input and an output with a recorder until the connection is lost.
    @discardableResult
    private func serve(
        _ input: CInt?, _ output: CInt?, _ recorder: Recorder = Recorder(), log: RecordedLog = RecordedLog(),
        _ setUp: (LibeventReactor) throws -> Void = { _ in }
    ) throws -> Recorder {
        try withReactor(log: log) { reactor in
            let arranged = recorder.whenLost
            recorder.whenLost = { [unowned reactor] in
                try arranged?($0, $1)
                reactor.afterTurns(2) { reactor.stop() }
            }
            try reactor.adoptStreamConnection(over: PipeBinding(input: input, output: output, name: "the test"), protocol: recorder)
            try setUp(reactor)
        }
        recorder.expectWholeLife()
        return recorder
    }

    private func remove(_ path: String) { try? FileManager.default.removeItem(atPath: path) }

    private func flags(_ descriptor: CInt) -> CInt { fcntl(descriptor, F_GETFL) }

    @Test func aFileIsReadAndWrittenWhole() throws {
        let bytes = Conformance.bytes(3_000_000)
        let (from, to) = (try temporaryFile(bytes), try temporaryFile())
        defer { for path in [from, to] { remove(path) } }
        let (input, output) = (systemOpen(from, O_RDONLY), systemOpen(to, O_WRONLY))
        let written = OpenFile(output)
        let recorder = Recorder()
        recorder.whenData = { recorder in recorder.transport.write(recorder.takeReceived()) }
        try serve(input, output, recorder)
        #expect(recorder.reason == .done)
        Conformance.expectSame([UInt8](try Data(contentsOf: URL(fileURLWithPath: to))), as: bytes)
        #expect(!written.isOpen)
    }

    @Test func aFileIsReadNoFasterThanItIsTaken() throws {
        let path = try temporaryFile([UInt8](repeating: 1, count: 2_000_000))
        defer { remove(path) }
        let input = systemOpen(path, O_RDONLY)
        var most = 0
        let recorder = Recorder()
        recorder.whenMade = { $0.transport.pauseProducing() }
        try serve(input, nil, recorder) { reactor in
            reactor.callLater(.milliseconds(200)) {
                // The position is that of the one who copies.
                most = Int(lseek(input, 0, SEEK_CUR))
                #expect(recorder.received.isEmpty)
                recorder.transport.resumeProducing()
            }
        }
        #expect(most > 0 && most <= 256 << 10, "\(most) bytes were read ahead")
        #expect(recorder.received.count == 2_000_000)
        #expect(recorder.reason == .done)
    }

    @Test func theNullDeviceIsAnEndAndTakesEverything() throws {
        let recorder = Recorder()
        recorder.whenMade = { $0.transport.write([UInt8](repeating: 1, count: 5_000_000)) }
        try serve(systemOpen("/dev/null", O_RDONLY), systemOpen("/dev/null", O_WRONLY), recorder)
        #expect(recorder.events == [.made, .lost(.done)])
    }

    @Test func anEndlessDeviceIsLetGoOf() throws {
        let recorder = Recorder()
        recorder.whenData = { recorder in
            if recorder.received.count > 500_000 { recorder.transport.loseConnection() }
        }
        try serve(systemOpen("/dev/zero", O_RDONLY), nil, recorder)
        #expect(recorder.reason == .done)
    }

    #if os(Linux)
    @Test func aFileThatCanNotBeReadIsNoEnd() throws {
        let recorder = Recorder()
        // The memory at address 0 can't be read by anybody.
        try serve(systemOpen("/proc/self/mem", O_RDONLY), nil, recorder)
        #expect(recorder.reason == .lost)
        #expect(recorder.reason?.errno == EIO)
    }

    @Test func aFullDiskBreaksTheConnection() throws {
        let pipe = try DescriptorPipe()
        let (reading, writing) = (pipe.reading, pipe.writing)
        defer { systemClose(writing) }
        let recorder = Recorder()
        recorder.whenMade = { $0.transport.write("x") }
        try serve(reading, systemOpen("/dev/full", O_WRONLY), recorder)
        #expect(recorder.reason == .lost)
        #expect(recorder.reason?.errno == ENOSPC)
    }
    #endif

    @Test func aHalfCloseableProtocolAnswersAfterTheEndOfInput() throws {
        let path = try temporaryFile(Array("question".utf8))
        defer { remove(path) }
        let pipe = try DescriptorPipe()
        let (reading, writing) = (pipe.reading, pipe.writing)
        let recorder = HalfCloseableRecorder()
        recorder.whenReadLost = { recorder in
            recorder.transport.write("answer to \(recorder.text)")
            recorder.transport.loseConnection()
        }
        try serve(systemOpen(path, O_RDONLY), writing, recorder)
        #expect(recorder.events == [.made, .data("question"), .readLost, .lost(.done)])
        #expect(RawSocket(descriptor: reading).readToEnd() == Array("answer to question".utf8))
    }

    @Test func closingTheOutputClosesItsPipeAtOnceAndReadsOn() throws {
        let (there, back) = (try DescriptorPipe(), try DescriptorPipe())
        defer { systemClose(back.reading) }
        let recorder = HalfCloseableRecorder()
        recorder.whenMade = {
            $0.transport.write("bye")
            $0.transport.loseWriteConnection()
        }
        recorder.whenWriteLost = { _ in
            #expect(RawSocket(descriptor: dup(back.reading)).readToEnd() == Array("bye".utf8))
            _ = unsafe Array("still here".utf8).withUnsafeBytes { unsafe systemWrite(there.writing, $0) }
            systemClose(there.writing)
        }
        try serve(there.reading, back.writing, recorder)
        #expect(recorder.events == [.made, .writeLost, .data("still here"), .lost(.done)])
    }

    @Test func aPipeForReadingOnlyDropsWhatIsWritten() throws {
        let pipe = try DescriptorPipe()
        let (reading, writing) = (pipe.reading, pipe.writing)
        let recorder = Recorder()
        recorder.whenMade = { recorder in
            recorder.transport.write("nothing")
            #expect(recorder.transport.bufferedByteCount == 0)
            #expect(recorder.transport.peer == .pipe("the test"))
            #expect("\(recorder.transport.host)" == "the test")
            systemClose(writing)
        }
        try serve(reading, nil, recorder)
        #expect(recorder.events == [.made, .lost(.done)])
    }

    @Test func aPipeForWritingOnlyIsToldThatNobodyReads() throws {
        let pipe = try DescriptorPipe()
        let (reading, writing) = (pipe.reading, pipe.writing)
        let adopted = OpenFile(writing)
        let recorder = Recorder()
        recorder.whenMade = { _ in systemClose(reading) }
        try serve(nil, writing, recorder)
        #expect(recorder.reason == .lost)
        #expect(recorder.reason?.errno == EPIPE)
        #expect(!adopted.isOpen)
    }

    @Test(arguments: [0, 1, 2]) func flagsArePutBackHoweverItEnds(way: Int) throws {
        let (there, back) = (try DescriptorPipe(), try DescriptorPipe())
        // Somebody else has the same pipes, as a shell has its terminal.
        let (input, output) = (dup(there.reading), dup(back.writing))
        defer { for end in [input, output, there.writing, back.reading] { systemClose(end) } }
        let adopted = [there.reading, back.writing].map(OpenFile.init)
        let before = (flags(input), flags(output))
        #expect(before.0 & O_NONBLOCK == 0 && before.1 & O_NONBLOCK == 0)
        let recorder = Recorder()
        try withReactor { reactor in
            recorder.whenMade = { [unowned reactor] recorder in
                #expect(flags(input) & O_NONBLOCK != 0 && flags(output) & O_NONBLOCK != 0)
                switch way {
                case 0: recorder.transport.loseConnection()
                case 1: recorder.transport.abortConnection()
                default: reactor.stop()
                }
            }
            recorder.whenLost = { [unowned reactor] _, _ in reactor.afterTurns(2) { reactor.stop() } }
            try reactor.adoptStreamConnection(over: PipeBinding(input: there.reading, output: back.writing), protocol: recorder)
        }
        #expect(flags(input) == before.0)
        #expect(flags(output) == before.1)
        #expect(adopted.allSatisfy { !$0.isOpen })
    }

    @Test func whatCanNotBeServedStaysAsItWas() throws {
        let pipe = try DescriptorPipe()
        let (reading, writing) = (pipe.reading, pipe.writing)
        let folder = systemOpen("/", O_RDONLY)
        defer { for end in [reading, writing, folder] { systemClose(end) } }
        try withReactor { reactor in
            func refusal(_ input: CInt?, _ output: CInt?) -> CInt? {
                do {
                    try reactor.adoptStreamConnection(over: PipeBinding(input: input, output: output), protocol: Recorder())
                    return nil
                } catch {
                    return (error as? SystemError)?.errno
                }
            }
            #expect(refusal(unusedDescriptor, writing) == EBADF)
            #expect(refusal(writing, nil) == EBADF)
            #expect(refusal(reading, reading) == EBADF)
            #expect(refusal(folder, writing) == EISDIR)
            #expect(refusal(nil, nil) == EBADF)
            #expect(flags(reading) & O_NONBLOCK == 0 && flags(writing) & O_NONBLOCK == 0)
            let recorder = Recorder()
            recorder.whenLost = { [unowned reactor] _, _ in reactor.stop() }
            let spare = dup(writing)
            try reactor.adoptStreamConnection(over: PipeBinding(input: nil, output: spare), protocol: recorder)
            #expect(refusal(reading, spare) == EBUSY)
            recorder.transport.loseConnection()
        }
    }

    @Test func aSocketHandedDownAsBothIsHalfClosedAsOne() throws {
        let (own, peer) = try socketPair()
        let (input, output) = (dup(own.descriptor), dup(own.descriptor))
        own.close()
        let adopted = [input, output].map(OpenFile.init)
        let recorder = HalfCloseableRecorder()
        recorder.whenMade = {
            $0.transport.write("hello")
            $0.transport.loseWriteConnection()
        }
        try withReactor { reactor in
            try reactor.adoptStreamConnection(over: PipeBinding(input: input, output: output), protocol: recorder)
            reactor.inBackground {
                #expect(try peer.receiveToEnd() == Array("hello".utf8))
                try peer.send("answer")
                peer.close()
            } then: { [unowned reactor] _ in
                reactor.when {
                    recorder.lossCount > 0
                } then: {
                    reactor.stop()
                }
            }
        }
        #expect(recorder.events == [.made, .writeLost, .data("answer"), .lost(.done)])
        #expect(adopted.allSatisfy { !$0.isOpen })
    }

    @Test func aReactorWithoutDescriptorsSaysSo() {
        #expect(throws: ReactorError.self) { try VirtualReactor().adoptStreamConnection(over: .standardIO, protocol: Recorder()) }
    }
}

extension RawSocket {
    /// What is left to read of a pipe, to its end.
    func readToEnd() -> [UInt8] {
        var bytes: [UInt8] = []
        unsafe withUnsafeTemporaryAllocation(byteCount: 1 << 16, alignment: 16) { buffer in
            while case let count = unsafe systemRead(descriptor, buffer), count > 0 { unsafe bytes += buffer[..<count] }
        }
        return bytes
    }
}
