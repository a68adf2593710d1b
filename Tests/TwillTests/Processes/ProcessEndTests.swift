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

@Suite("What becomes of processes in the end", .nothingLivesOn) struct ProcessAfterlifeTests {
    @Test func aReactorThatStopsLeavesTheProcessRunningAndTakesNoteOfItsEnd() throws {
        let child = ProcessRecorder()
        var number: CInt = 0
        try withReactor { reactor in
            child.whenMade = { [unowned reactor] child in
                number = child.transport.pid ?? 0
                reactor.stop()
            }
            try reactor.spawnProcess(ProcessCommand("sleep", arguments: ["60"]), protocol: child)
        }
        #expect(child.end?.status == .leftRunning)
        #expect(!child.events.contains { if case .exited = $0 { true } else { false } })
        #expect(child.transport.pid == nil)
        #expect(kill(number, 0) == 0, "it was not left running")
        #expect(kill(number, SIGKILL) == 0)
        expectGone(number)
    }

    @Test func aReactorThatHasClosedEverythingStartsNothing() throws {
        let child = ProcessRecorder()
        var refusal: (any Error)?
        try withReactor { reactor in
            child.whenMade = { [unowned reactor] _ in reactor.stop() }
            child.whenEnded = { [unowned reactor] child in
                do { try reactor.spawnProcess(ProcessCommand("cat"), protocol: ProcessRecorder()) } catch { refusal = error }
            }
            try reactor.spawnProcess(ProcessCommand("cat"), protocol: child)
        }
        #expect(refusal as? ProcessError == .stopping)
        // It may have ended with its input, before the reactor let go of it.
        #expect(child.end != nil)
    }

    @Test(arguments: [true, false]) func whereTheSystemGivesNoDescriptorAThreadWaits(stops: Bool) throws {
        let child = ProcessRecorder()
        var number: CInt = 0
        try withReactor { reactor in
            reactor.watchesProcessDescriptors = false
            child.whenMade = { [unowned reactor] child in
                number = child.transport.pid ?? 0
                if stops { reactor.stop() } else { try child.transport.signalProcess(.terminate) }
            }
            child.whenEnded = { [unowned reactor] _ in reactor.stop() }
            try reactor.spawnProcess(ProcessCommand("sleep", arguments: ["60"]), protocol: child)
        }
        #expect(child.end?.status == (stops ? .leftRunning : .signalled(.terminate, dumpedCore: false)))
        if stops { kill(number, SIGKILL) }
        expectGone(number)
    }

    @Test func twoHundredChildrenLeaveNothingBehind() throws {
        var ends: [ProcessEnd] = []
        var numbers: [CInt] = []
        try withReactor(deadline: .seconds(120)) { reactor in
            for number in 0..<200 {
                let child = ProcessRecorder()
                child.whenMade = { child in
                    numbers.append(child.transport.pid ?? 0)
                    child.transport.write("\(number)\n")
                }
                child.whenData = { child, _ in child.transport.closeStdin() }
                child.whenEnded = { [unowned reactor] child in
                    #expect(child.text(1) == "\(number)\n")
                    child.end.map { ends.append($0) }
                    if ends.count == 200 { reactor.stop() }
                }
                try reactor.spawnProcess(ProcessCommand("cat"), protocol: child)
            }
            #expect(reactor.openCount == 600)
        }
        #expect(ends.count == 200)
        #expect(ends.allSatisfy { $0.isClean })
        for number in numbers { expectGone(number) }
    }
}

/// The system knows nothing of a process any more, not even that it has ended.
func expectGone(_ number: CInt, sourceLocation: SourceLocation = #_sourceLocation) {
    // A thread may be about to take note.
    for _ in 0..<5000 where kill(number, 0) == 0 { pauseThread(.milliseconds(1)) }
    #expect(kill(number, 0) != 0 && errno == ESRCH, "process \(number) is still there", sourceLocation: sourceLocation)
}

@Suite("How processes end, in words", .nothingLivesOn) struct ProcessEndTests {
    @Test func eachEndIsASentence() {
        #expect(ProcessEnd(.exited(0)).description == "the process ended in good order")
        #expect(ProcessEnd(waitStatus: 3 << 8).description == "the process exited with status 3")
        #expect(ProcessEnd(waitStatus: 11 | 0x80).description == "SIGSEGV ended the process, and its memory was dumped")
        #expect(ProcessEnd(waitStatus: 9).status == .signalled(.kill, dumpedCore: false))
        #expect(ProcessEnd(.leftRunning).isClean == false)
        struct Mistake: Error {}
        let failed = ProcessEnd(.exited(0), because: Mistake())
        #expect(!failed.isClean && failed == ProcessEnd(.exited(0)))
        #expect(failed.description == "the process ended in good order, after a callback had failed: Mistake()")
        #expect(ProcessSignal(rawValue: 40).description == "signal 40")
    }

    @Test func aTransportMadeByItselfIsThatOfAProcessThatHasEnded() {
        let transport = ProcessTransport()
        #expect(transport.pid == nil && transport.openPipes == [] && !transport.hasMore)
        transport.write("dropped")
        transport.closeStdin()
        transport.loseConnection()
        transport.terminate()
        #expect(throws: ProcessError.ended) { try transport.signalProcess(.kill) }
    }
}
