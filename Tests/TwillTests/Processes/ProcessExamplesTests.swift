import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

// The programs of Processes.md and of the documentation beside the sources, word for word (only that a test stops its reactor), and what they
// say they do.

private final class WordCount: ProcessProtocol {
    private(set) var answer = ""

    override func connectionMade() {
        transport.write("one two three\n")
        transport.closeStdin()
    }

    override func outReceived(_ data: Span<UInt8>) { answer += text(data) }

    override func processEnded(_ end: ProcessEnd) { transport.reactor.stop() }
}

private final class Supervised: ProcessProtocol {
    let command: ProcessCommand
    private(set) var starts = 0

    init(_ command: ProcessCommand) {
        self.command = command
        super.init()
    }

    override func connectionMade() { starts += 1 }

    override func processEnded(_ end: ProcessEnd) {
        if end.isClean || end.status == .leftRunning { return }
        let reactor = transport.reactor
        reactor.callLater(.milliseconds(10)) { [unowned reactor] in try reactor.spawnProcess(self.command, protocol: self) }
    }
}

private final class Sorted: Twill::Protocol, HalfCloseableProtocol {
    private(set) var lines = ""

    override func connectionMade() {
        transport.write("pear\napple\n")
        transport.loseWriteConnection()
    }

    override func dataReceived(_ data: Span<UInt8>) { lines += text(data) }

    func readConnectionLost() { transport.loseConnection() }

    func writeConnectionLost() {}

    override func connectionLost(_ reason: ConnectionLost) { transport.reactor.stop() }
}

@Suite("The programs of the article on processes", .nothingLivesOn) struct ProcessExamplesTests {
    @Test func wordsAreCounted() throws {
        let counter = WordCount()
        try withReactor { reactor in
            try reactor.spawnProcess(ProcessCommand("wc", arguments: ["-w"]), protocol: counter)
        }
        #expect(counter.answer.filter { !$0.isWhitespace } == "3")
    }

    @Test func aSupervisorStartsAgain() throws {
        let supervised = Supervised(shell("exit 1"))
        try withReactor { reactor in
            try reactor.spawnProcess(supervised.command, protocol: supervised)
            reactor.when({ supervised.starts == 3 }, then: { [unowned reactor] in reactor.stop() })
        }
        #expect(supervised.starts >= 3)
    }

    @Test func aProgramSorts() throws {
        let sorted = Sorted()
        try withReactor { reactor in
            try reactor.connect(Endpoint("process:sort:-u"), factory: ClientFactory { [weak sorted] _ in sorted })
        }
        #expect(sorted.lines == "apple\npear\n")
    }

    @Test func theSystemIsNamed() throws {
        var name = ""
        try withReactor { reactor in
            reactor.processOutput(of: ProcessCommand("uname", arguments: ["-s"]), timeout: .seconds(10)).addCallback { [unowned reactor] in
                name = $0.text
                reactor.stop()
            }
        }
        #expect(name == "Linux\n" || name == "Darwin\n")
    }

    @Test func aCommandIsDescribed() throws {
        var command = ProcessCommand("sort", arguments: ["-u"])
        command.workingDirectory = "/tmp"
        command.environment = .inherited(adding: ["LC_ALL": "C"])
        let child = try withProcess(command) { child, _ in
            child.whenMade = { child in
                child.transport.write("b\nB\na\nb\n")
                child.transport.closeStdin()
            }
        }
        #expect(child.text(1) == "B\na\nb\n")
    }
}
