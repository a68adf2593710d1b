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

@Suite("Child processes", .nothingLivesOn) struct ProcessTests {
    private let done: [ProcessEvent] = [.made, .lost(1, .done), .lost(2, .done)]

    @Test func catSendsBackWhatItIsGivenAndEndsWithItsInput() throws {
        let child = try withProcess(ProcessCommand("cat")) { child, _ in
            child.whenMade = { $0.transport.write("hello") }
            child.whenData = { child, _ in child.transport.closeStdin() }
        }
        #expect(child.text(1) == "hello")
        #expect(child.events.first == .made)
        #expect(child.events.last == .ended(ProcessEnd(.exited(0))))
        #expect(child.end?.isClean == true)
        for descriptor in [0, 1, 2] as [CInt] { #expect(child.events.count { $0 == .lost(descriptor, .done) } == 1, "\(child.events)") }
        #expect(child.events.count { $0 == .exited(ProcessEnd(.exited(0))) } == 1)
        #expect(!child.isInUse)
        #expect(child.transport.pid == nil)
    }

    @Test func tenMegabytesGoBothWaysWithBoundedMemory() throws {
        let count = 10_000_000
        var unsentMost = 0
        let child = try withProcess(ProcessCommand("cat")) { child, reactor in
            child.whenMade = { child in
                let source = ChunkSource(count: count, of: child.transport)
                try child.transport.registerProducer(source, streaming: false)
            }
            child.whenData = { child, _ in
                unsentMost = max(unsentMost, child.transport.pipe(0)?.bufferedByteCount ?? 0)
            }
        }
        Conformance.expectSame(child.received[1] ?? [], as: Conformance.bytes(count))
        #expect(unsentMost <= 2 * ChunkSource.chunkBytes)
        #expect(child.end?.isClean == true)
    }

    @Test func whatTheChildSaysWaitsWhileNobodyReads() throws {
        // A child that writes more than a pipe holds stops there.
        var waited: [UInt8]?
        let child = try withProcess(shell("head -c 1000000 /dev/zero; echo wrote >&2")) { child, reactor in
            child.whenMade = { [unowned reactor] child in
                child.transport.pipe(1)?.pauseProducing()
                reactor.callLater(.milliseconds(200)) {
                    waited = child.received[2] ?? []
                    #expect((child.received[1] ?? []).isEmpty)
                    child.transport.resumeProducing()
                }
            }
        }
        #expect(waited == [])
        #expect(child.received[1]?.count == 1_000_000)
        #expect(child.text(2) == "wrote\n")
    }

    @Test(arguments: [0, 1, 3, 255] as [CInt]) func theExitStatusIsTold(status: CInt) throws {
        let child = try withProcess(shell("exit \(status)"))
        #expect(child.end?.status == .exited(status))
        #expect(child.end?.exitCode == status)
        #expect(child.end?.isClean == (status == 0))
        #expect(child.turns.suffix(2).last == .ended(ProcessEnd(.exited(status))))
    }

    @Test(arguments: [ProcessSignal.terminate, .kill, .hangUp, .interrupt, .user1])
    func aSignalEndsAProcessAndIsToldAsTheReason(signal: ProcessSignal) throws {
        let child = try withProcess(ProcessCommand("sleep", arguments: ["60"])) { child, _ in
            child.whenMade = { try $0.transport.signalProcess(signal) }
        }
        #expect(child.end?.signal == signal)
        #expect(child.end?.isClean == false)
        #expect(child.end?.description == "\(signal) ended the process")
    }

    @Test func aSignalMayBeNamed() throws {
        let child = try withProcess(ProcessCommand("sleep", arguments: ["60"])) { child, _ in
            child.whenMade = { child in
                #expect(throws: ProcessError.signalRefused) { try child.transport.signalProcess("NOSUCH") }
                try child.transport.signalProcess("sigterm")
            }
        }
        #expect(child.end?.signal == .terminate)
        #expect(ProcessSignal(named: "TERM") == .terminate)
        #expect(ProcessSignal(named: "") == nil)
        #expect(ProcessSignal.terminate.description == "SIGTERM")
    }

    @Test func aProcessThatHasEndedCanNotBeSignalled() throws {
        var refused: (any Error)?
        let child = try withProcess(shell("exit 0")) { child, _ in
            child.whenExited = { child in
                do { try child.transport.signalProcess(.terminate) } catch { refused = error }
            }
        }
        #expect(refused as? ProcessError == .ended)
        #expect(child.end?.isClean == true)
    }

    @Test func terminatingKillsAProcessThatDoesNotMind() throws {
        let child = try withProcess(shell("trap '' TERM; echo ready; while :; do sleep 0.05; done")) { child, _ in
            child.whenData = { child, _ in child.transport.terminate(killingAfter: .milliseconds(100)) }
        }
        #expect(child.end?.signal == .kill)
    }

    @Test func aChildThatClosesItsOutputLivesOn() throws {
        let child = try withProcess(shell("exec >&- 2>&-; read line; exit 7")) { child, _ in
            child.whenLost = { child, descriptor in
                guard descriptor == 1 else { return }
                #expect(child.transport.pid != nil)
                child.transport.write("go\n")
            }
        }
        #expect(child.end?.exitCode == 7)
    }

    @Test func aGrandchildHoldsThePipesAndTheEndWaitsForIt() throws {
        let child = try withProcess(shell("exec 3<&0; (read line <&3; echo late) & exit 3")) { child, _ in
            child.whenExited = { child in
                #expect(child.transport.pid == nil)
                #expect(child.transport.openPipes.contains(1))
                child.transport.loseConnection()
            }
        }
        let order = child.turns.map { event -> String in
            switch event {
            case .exited: "exited"
            case .ended: "ended"
            default: ""
            }
        }
        #expect(order.filter { !$0.isEmpty } == ["exited", "ended"])
        #expect(child.end?.exitCode == 3)
    }

    @Test func whatAGrandchildSaysComesAfterTheExitAndBeforeTheEnd() throws {
        // The grandchild waits for a line on descriptor 3, which comes after the exit.
        var command = shell("(read line <&3; echo late) & exec 0<&-; exit 0")
        command.descriptors[3] = .parentWrites
        let child = try withProcess(command) { child, _ in
            child.whenExited = { $0.transport.pipe(3)?.write("go\n") }
        }
        let exit = try #require(child.events.firstIndex(of: .exited(ProcessEnd(.exited(0)))))
        let late = try #require(child.events.firstIndex(of: .data(1, "late\n")))
        #expect(exit < late)
        #expect(child.events.last == .ended(ProcessEnd(.exited(0))))
    }

    @Test func aChildThatNeverReadsCostsNoMoreThanTheLimit() throws {
        var command = ProcessCommand("sleep", arguments: ["60"])
        command.options.waterMarks.limit = 200_000
        let child = try withProcess(command) { child, _ in
            child.whenMade = { child in
                for _ in 0..<100 { child.transport.write([UInt8](repeating: 1, count: 10_000)) }
            }
            child.whenLost = { child, descriptor in
                if descriptor == 0 { try child.transport.signalProcess(.kill) }
            }
        }
        #expect(child.events.contains(.lost(0, .unsentLimit)))
    }

    @Test func closingTheInputOfAChildThatNeverReadsGivesUp() throws {
        var command = ProcessCommand("sleep", arguments: ["60"])
        command.options.stallTimeout = .milliseconds(100)
        let child = try withProcess(command) { child, _ in
            child.whenMade = { child in
                child.transport.write([UInt8](repeating: 1, count: 1_000_000))
                child.transport.closeStdin()
            }
            child.whenLost = { child, descriptor in
                if descriptor == 0 { try child.transport.signalProcess(.kill) }
            }
        }
        #expect(child.events.contains(.lost(0, .timedOut)))
    }

    @Test func aChildThatReadsNoMoreIsNoticedAtOnce() throws {
        let child = try withProcess(shell("exec <&-; exec sleep 60")) { child, _ in
            child.whenLost = { child, descriptor in
                if descriptor == 0 { try child.transport.signalProcess(.kill) }
            }
        }
        #expect(child.turns.dropFirst().first == .lost(0, .lost))
    }

    @Test(arguments: ["connectionMade", "childDataReceived", "childConnectionLost", "processExited", "processEnded"])
    func anErrorOfACallbackEndsTheProcess(callback: String) throws {
        struct Mistake: Error {}
        let log = RecordedLog()
        let child = try withProcess(shell("echo hello; exec >&-; read line; exit 0"), log: log) { child, reactor in
            child.whenMade = { child in if callback == "connectionMade" { throw Mistake() } }
            child.whenData = { _, _ in if callback == "childDataReceived" { throw Mistake() } }
            child.whenLost = { child, descriptor in
                guard descriptor == 1 else { return }
                if callback == "childConnectionLost" { throw Mistake() }
                child.transport.write("go\n")
            }
            child.whenExited = { _ in if callback == "processExited" { throw Mistake() } }
            child.whenEnded = { _ in if callback == "processEnded" { throw Mistake() } }
            // The recorder's own call that stops the reactor comes after this one, and would not come.
            if callback == "processEnded" {
                reactor.when({ child.end != nil }, then: { [unowned reactor] in reactor.stop() })
            }
        }
        #expect(log.count(containing: "ProcessRecorder.\(callback) threw: Mistake()") == 1, "\(log.entries)")
        #expect(child.end?.underlying is Mistake == (callback != "processEnded"))
        #expect(child.end?.isClean == (callback == "processEnded"))
        #expect(child.events.count { if case .ended = $0 { true } else { false } } == 1)
    }

    @Test func aProcessWhoseProtocolFailsIsSentASignal() throws {
        struct Mistake: Error {}
        let child = try withProcess(ProcessCommand("sleep", arguments: ["60"]), deadline: .seconds(30)) { child, _ in
            child.whenMade = { _ in throw Mistake() }
        }
        #expect(child.end?.signal == .terminate)
    }

    @Test(arguments: [LibeventReactor.Backend.best, .poll, .select])
    func everyWayToWaitKnowsProcesses(backend: LibeventReactor.Backend) throws {
        let (cat, deaf) = (ProcessRecorder(), ProcessRecorder())
        let reactor = try LibeventReactor(logger: RecordedLog().logger, backend: backend)
        var left = 2
        let ended: (ProcessRecorder) -> Void = { [unowned reactor] _ in
            left -= 1
            if left == 0 { reactor.stop() }
        }
        cat.whenMade = { $0.transport.write("hello") }
        cat.whenData = { cat, _ in cat.transport.closeStdin() }
        cat.whenEnded = ended
        // Nothing is written, so that only waiting can tell that nobody reads.
        deaf.whenLost = { deaf, descriptor in if descriptor == 0 { try deaf.transport.signalProcess(.kill) } }
        deaf.whenEnded = ended
        try reactor.spawnProcess(ProcessCommand("cat"), protocol: cat)
        try reactor.spawnProcess(shell("exec <&-; exec sleep 60"), protocol: deaf)
        try reactor.runToStop()
        #expect(cat.text(1) == "hello" && cat.end?.isClean == true)
        #expect(deaf.events.contains(.lost(0, .lost)))
    }

    @Test func aProtocolServesOneProcessAtATime() throws {
        let child = ProcessRecorder()
        try withReactor { reactor in
            child.whenMade = { [unowned reactor] child in
                #expect(throws: ProcessError.protocolInUse) { try reactor.spawnProcess(ProcessCommand("cat"), protocol: child) }
                child.transport.loseConnection()
            }
            child.whenEnded = { [unowned reactor] child in
                reactor.callLater(.zero) {
                    child.whenEnded = { _ in reactor.stop() }
                    try reactor.spawnProcess(shell("exit 4"), protocol: child)
                }
            }
            try reactor.spawnProcess(ProcessCommand("cat"), protocol: child)
        }
        #expect(
            child.events.filter { if case .ended = $0 { true } else { false } } == [
                .ended(ProcessEnd(.exited(0))), .ended(ProcessEnd(.exited(4))),
            ])
    }

    @Test func itsPipesAreConnectionsAsAnyOther() throws {
        // A proxy of two children: what one says, the other one is told, at its own speed.
        let count = 3_000_000
        let writer = ProcessRecorder()
        let reader = ProcessRecorder()
        try withReactor(deadline: .seconds(60)) { reactor in
            reader.whenEnded = { [unowned reactor] _ in reactor.stop() }
            try reactor.spawnProcess(ProcessCommand("wc", arguments: ["-c"]), protocol: reader)
            writer.whenMade = { writer in
                let pipe = try #require(writer.transport.pipe(1))
                try reader.transport.registerProducer(pipe, streaming: true)
                #expect(pipe.peer == pipe.host)
                #expect("\(pipe.peer)".hasPrefix("descriptor 1 of head ("))
                #expect(pipe.peerCredentials == nil)
            }
            writer.whenData = { writer, _ in
                reader.transport.write(writer.received[1] ?? [])
                writer.forget()
            }
            writer.whenLost = { _, descriptor in
                guard descriptor == 1 else { return }
                reader.transport.unregisterProducer()
                reader.transport.closeStdin()
            }
            try reactor.spawnProcess(ProcessCommand("head", arguments: ["-c", "\(count)", "/dev/zero"]), protocol: writer)
        }
        #expect(reader.text(1).contains("\(count)"))
    }
}

/// Writes so many bytes to a process, a piece each time it is asked, and then closes its input.
private final class ChunkSource: Producer {
    static let chunkBytes = 100_000
    private let bytes: [UInt8]
    private var sent = 0
    private let transport: ProcessTransport

    init(count: Int, of transport: ProcessTransport) {
        bytes = Conformance.bytes(count)
        self.transport = transport
    }

    func resumeProducing() {
        let end = min(sent + Self.chunkBytes, bytes.count)
        transport.write(bytes[sent..<end].span)
        sent = end
        guard sent == bytes.count else { return }
        transport.unregisterProducer()
        transport.closeStdin()
    }

    func stopProducing() {}
}
