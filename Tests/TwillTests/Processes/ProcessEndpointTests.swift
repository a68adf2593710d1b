import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

@Suite("Connections to programs", .nothingLivesOn) struct ProcessEndpointTests {
    /// Connects a recorder to a program, and runs until the factory was told of the end or of the failure.
    @discardableResult
    private func connect(
        _ description: String, _ recorder: Recorder = Recorder(), log: RecordedLog = RecordedLog(),
        _ setUp: (RecordingClientFactory, LibeventReactor) throws -> Void = { _, _ in }
    ) throws -> RecordingClientFactory {
        let factory = RecordingClientFactory { [weak recorder] _ in recorder }
        try withReactor(log: log) { reactor in
            factory.whenStopped = { [unowned reactor] in reactor.afterTurns(2) { reactor.stop() } }
            try setUp(factory, reactor)
            try reactor.connect(Endpoint(description), factory: factory)
        }
        return factory
    }

    private func quoted(_ script: String, _ options: String = "") -> String {
        "process:/bin/sh:-c:\(EndpointDescription.quote(script))\(options)"
    }

    @Test func whatIsWrittenIsTheInputAndWhatIsReceivedTheOutput() throws {
        let recorder = Recorder()
        recorder.whenMade = { recorder in
            #expect("\(recorder.transport.peer)".hasPrefix("cat ("))
            recorder.transport.write("hello")
        }
        recorder.whenData = { $0.transport.loseConnection() }
        let factory = try connect("process:cat", recorder)
        #expect(recorder.events == [.made, .data("hello"), .lost(.done)])
        #expect(factory.events == [.start, .startedConnecting, .lost(.done), .stop])
    }

    @Test func tenMegabytesComeBack() throws {
        let bytes = Conformance.bytes(10_000_000)
        let recorder = HalfCloseableRecorder()
        recorder.whenMade = { recorder in
            recorder.transport.write(bytes)
            recorder.transport.loseWriteConnection()
        }
        try connect("process:cat", recorder)
        Conformance.expectSame(recorder.received, as: bytes)
        #expect(recorder.reason == .done)
    }

    @Test func aProgramAnswersAfterTheEndOfItsInput() throws {
        let recorder = HalfCloseableRecorder()
        recorder.whenMade = { recorder in
            recorder.transport.write("pear\napple\n")
            recorder.transport.loseWriteConnection()
        }
        try connect("process:sort", recorder)
        #expect(recorder.text == "apple\npear\n")
        #expect(recorder.reason == .done)
    }

    @Test(arguments: [3, 0]) func theReasonTellsHowTheProgramEnded(status: CInt) throws {
        let recorder = Recorder()
        try connect(quoted("echo bye; exit \(status)"), recorder)
        #expect(recorder.text == "bye\n")
        #expect(recorder.reason == (status == 0 ? .done : .lost))
        #expect((recorder.reason?.underlying as? ProcessEnd)?.exitCode == (status == 0 ? nil : status))
    }

    @Test func theLossWaitsForTheProgram() throws {
        // Its output ends before it does.
        let recorder = Recorder()
        try connect(quoted("exec >&-; read line; sleep 0.2; exit 5"), recorder)
        #expect((recorder.reason?.underlying as? ProcessEnd)?.exitCode == 5)
    }

    @Test func whatAProgramStillSaysIsReadSoThatItEndsInGoodOrder() throws {
        let recorder = Recorder()
        recorder.whenMade = { $0.transport.loseConnection() }
        try connect(quoted("cat; head -c 1000000 /dev/zero || exit 9"), recorder)
        #expect(recorder.events == [.made, .lost(.done)])
    }

    @Test func aProgramThatDoesNotEndIsKilledAfterAWhile() throws {
        let recorder = Recorder()
        recorder.whenData = { $0.transport.loseConnection() }
        try connect(quoted("trap '' TERM; echo ready; while :; do sleep 0.05; done", ":grace=0.2"), recorder)
        #expect((recorder.reason?.underlying as? ProcessEnd)?.signal == .kill)
    }

    @Test func abortingKillsTheProgramAtOnce() throws {
        let recorder = Recorder()
        recorder.whenMade = { $0.transport.abortConnection() }
        try connect(quoted("trap '' TERM; while :; do sleep 0.05; done", ":grace=1000"), recorder)
        #expect(recorder.events == [.made, .lost(.aborted)])
    }

    @Test func aProgramThatIsMissingFailsTheAttempt() throws {
        let recorder = Recorder()
        let factory = try connect("process:no-such-program:x", recorder)
        #expect(factory.failure == .failed)
        #expect(factory.failure?.underlying as? ProcessError == .notFound)
        #expect(factory.failure?.description.hasPrefix("Couldn't connect to process:no-such-program:x: ") == true)
        #expect(recorder.events == [])
    }

    @Test func anAttemptCanBeCancelled() throws {
        let recorder = Recorder()
        let factory = try connect("process:cat", recorder) { factory, _ in
            factory.whenStarted = { try $0.stopConnecting() }
        }
        #expect(factory.failure == .cancelled)
    }

    @Test func stoppingTheReactorCancelsAnAttempt() throws {
        let recorder = Recorder()
        let factory = try connect("process:cat", recorder) { factory, reactor in
            factory.whenStarted = { [unowned reactor] _ in reactor.stop() }
        }
        #expect(factory.events == [.start, .startedConnecting, .failed(.cancelled), .stop])
    }

    @Test func stoppingTheReactorEndsAConnection() throws {
        let recorder = Recorder()
        let factory = try connect("process:cat", recorder) { factory, reactor in
            recorder.whenMade = { [unowned reactor] _ in reactor.stop() }
        }
        #expect(recorder.events == [.made, .lost(.reactorStopped)])
        #expect(factory.events == [.start, .startedConnecting, .lost(.reactorStopped), .stop])
    }

    @Test func aFactoryThatRefusesOrThrowsEndsTheProgram() throws {
        struct Refusal: Error {}
        var outcomes: [String] = []
        try withReactor { reactor in
            let endpoint = try clientFromString("process:cat")
            endpoint.connect(Factory { _ in nil }, on: reactor).addBoth { result in
                if case .failure(let error) = result { outcomes.append("\(type(of: error))") }
                endpoint.connect(Factory { () throws -> Twill::Protocol in throw Refusal() }, on: reactor).addBoth {
                    [unowned reactor] result in
                    if case .failure(let error) = result { outcomes.append("\(type(of: error))") }
                    reactor.when({ [unowned reactor] in reactor.processes.isEmpty }, then: { [unowned reactor] in reactor.stop() })
                }
            }
        }
        #expect(outcomes == ["NoProtocol", "Refusal"])
    }

    @Test func standardErrorIsLoggedLineByLine() throws {
        let log = RecordedLog()
        try connect(quoted("printf 'one\\r\\ntw\\033o\\nlast' >&2"), log: log)
        for line in ["info: /bin/sh: one", "info: /bin/sh: tw\\u{1B}o", "info: /bin/sh: last"] {
            #expect(log.entries.contains(line), "\(log.entries)")
        }
        let silent = RecordedLog()
        try connect(quoted("echo one >&2", ":errors=drop"), log: silent)
        #expect(silent.entries == [])
    }

    @Test func aLongLineOfErrorsComesInPieces() {
        var lines = ErrorLines()
        var logged: [String] = []
        lines.take([UInt8](repeating: 0x61, count: 40_000).span) { logged.append($0) }
        lines.finish { logged.append($0) }
        #expect(logged.map(\.count) == [16384, 16384, 40_000 - 2 * 16384])
    }

    @Test(arguments: [
        "process:/bin/cat", "process:sh:-c:echo a\\:b \\= c", "process:cat:directory=/tmp:grace=2:errors=drop", "process:cat:",
    ])
    func itsDescriptionIsWhatItIsReadFrom(text: String) throws {
        let endpoint = try #require(try clientFromString(text) as? ProcessClientEndpoint)
        #expect("\(endpoint)" == text)
        if text.contains("echo") { #expect(endpoint.command.arguments == ["-c", "echo a:b = c"]) }
    }

    @Test func whatMakesNoSenseIsRefused() {
        func reason(_ text: String) -> String {
            do {
                _ = try clientFromString(text)
                return ""
            } catch {
                return "\(error)"
            }
        }
        #expect(reason("process:") == "process:: \"\" at character 8 has no program: write process:PROGRAM, as in process:/bin/cat")
        #expect(reason("process:cat:errors=loud").contains("give one of log, inherit, drop"))
        #expect(reason("process:cat:grace=-1").contains("is no time"))
        #expect(reason("process:cat:colour=red").contains("is no option of process"))
        #expect(throws: EndpointError.self) { try serverFromString("stdio:1") }
        #expect(throws: EndpointError.self) { try serverFromString("stdio:x=1") }
        #expect((try? serverFromString("stdio:"))?.description == "stdio:")
    }
}

@Suite("The output of a program", .nothingLivesOn) struct ProcessOutputTests {
    /// What comes of a program.
    private func outcome(
        of command: ProcessCommand, input: [UInt8] = [], outputBytesMax: Int = 1 << 20, timeout: Duration? = nil, stops: Bool = false
    ) throws -> Result<ProcessOutput, any Error>? {
        var outcome: Result<ProcessOutput, any Error>?
        try withReactor { reactor in
            reactor.processOutput(of: command, input: input, outputBytesMax: outputBytesMax, timeout: timeout).addBoth {
                [unowned reactor] in
                outcome = $0
                reactor.stop()
            }
            if stops { reactor.callLater(.milliseconds(20)) { [unowned reactor] in reactor.stop() } }
        }
        return outcome
    }

    private func error(_ result: Result<ProcessOutput, any Error>?) -> (any Error)? {
        if case .failure(let error) = result { error } else { nil }
    }

    @Test func bothOutputsAndTheStatusAreCollected() throws {
        let output = try outcome(of: shell("cat; echo oops >&2; exit 4"), input: Array("hello".utf8))?.get()
        #expect(output?.text == "hello")
        #expect(output?.errors == Array("oops\n".utf8))
        #expect(output?.end.exitCode == 4)
    }

    @Test func anInputBeyondTheUsualLimitIsHandedOver() throws {
        let input = Conformance.bytes(20_000_000)
        let output = try outcome(of: ProcessCommand("wc", arguments: ["-c"]), input: input)?.get()
        #expect(output?.text.contains("20000000") == true)
    }

    @Test func aProgramThatSaysTooMuchIsKilled() throws {
        let error = error(try outcome(of: ProcessCommand("yes"), outputBytesMax: 100_000))
        #expect(error as? ProcessError == .tooMuchOutput)
        #expect("\(error.map { "\($0)" } ?? "")" == "yes was killed: it said more than 100000 bytes; raise the limit or ask it for less")
    }

    @Test func theLimitIsTheLastByteThatIsTaken() throws {
        func head(_ count: Int) -> ProcessCommand { ProcessCommand("head", arguments: ["-c", "\(count)", "/dev/zero"]) }
        #expect(try outcome(of: head(100_000), outputBytesMax: 100_000)?.get().output.count == 100_000)
        #expect(error(try outcome(of: head(100_001), outputBytesMax: 100_000)) as? ProcessError == .tooMuchOutput)
    }

    @Test func aProgramThatTakesTooLongIsKilledWithoutItsChildrenHoldingUpTheResult() throws {
        let error = error(try outcome(of: shell("sleep 5; echo"), timeout: .milliseconds(50)))
        #expect(error as? ProcessError == .timedOut)
    }

    @Test func aProgramThatIsMissingFails() throws {
        #expect(error(try outcome(of: ProcessCommand("no-such-program"))) as? ProcessError == .notFound)
    }

    @Test func aReactorThatStopsFailsIt() throws {
        let end = error(try outcome(of: ProcessCommand("sleep", arguments: ["1"]), stops: true)) as? ProcessEnd
        #expect(end?.status == .leftRunning)
    }
}
