import Foundation
import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

@Suite("What a child process begins with", .nothingLivesOn) struct SpawnTests {
    /// A command that is given the descriptors of the test, and writes what it has open.
    private func descriptorList(_ descriptors: [CInt: ProcessCommand.Descriptor] = ProcessCommand.standardDescriptors) -> ProcessCommand {
        ProcessCommand("ls", arguments: ["/proc/self/fd"], descriptors: descriptors)
    }

    #if os(Linux)
    @Test func aChildHasItsThreeDescriptorsAndNoOthers() throws {
        let pipe = try DescriptorPipe()
        let (reading, writing) = (pipe.reading, pipe.writing)
        let foreign = dup(reading)
        defer { for end in [reading, writing, foreign] { systemClose(end) } }
        #expect(fcntl(foreign, F_GETFD) & FD_CLOEXEC == 0)
        let file = systemOpen("/etc/passwd", O_RDONLY)
        defer { systemClose(file) }
        var list = ""
        let child = ProcessRecorder()
        let client = Recorder()
        try withReactor { reactor in
            let port = try reactor.listenTCP(port: 0, factory: Factory { Recorder() }, interface: "127.0.0.1").number
            client.whenMade = { [unowned reactor] _ in
                child.whenEnded = { child in
                    list = child.text(1)
                    reactor.stop()
                }
                try reactor.spawnProcess(descriptorList(), protocol: child)
            }
            try reactor.connectTCP(host: "127.0.0.1", port: port, factory: ClientFactory { [weak client] _ in client })
        }
        // The one above is that which ls reads the folder by.
        #expect(list == "0\n1\n2\n3\n")
    }

    @Test func aChildHasTheDescriptorsOfItsMap() throws {
        let child = try withProcess(
            descriptorList([1: .parentReads, 2: .inherited(2), 5: .parentWrites, 7: .parentReads, 200: .inherited(0)]))
        // Input is /dev/null, and what lies between was closed.
        let numbers = child.text(1).split(separator: "\n").compactMap { Int($0) }.sorted()
        #expect(Set(numbers).isSuperset(of: [0, 1, 2, 5, 7, 200]))
        #expect(numbers.count == 7)
        #expect(child.turns.contains(.lost(5, .lost)))
        #expect(child.turns.contains(.lost(7, .done)))
    }
    #endif

    @Test func descriptorsMayChangePlaces() throws {
        // 1 and 2 are crossed, and each becomes what the other one was.
        let pipe = try DescriptorPipe()
        let (reading, writing) = (pipe.reading, pipe.writing)
        defer { systemClose(reading) }
        var command = shell("echo out; echo err >&2; echo three >&3")
        command.descriptors = [1: .parentReads, 2: .inherited(writing), 3: .parentReads]
        let child = try withProcess(command)
        systemClose(writing)
        #expect(child.text(1) == "out\n")
        #expect(child.text(3) == "three\n")
        #expect(RawSocket(descriptor: dup(reading)).readToEnd() == Array("err\n".utf8))
    }

    #if os(Linux)
    @Test func descriptorsMayChangePlacesThatAreOpenInThisProcess() throws {
        guard childRole == "crossed" else {
            // In a process of its own, where the numbers are low.
            var command = thisProgram(as: "crossed", test: "descriptorsMayChangePlacesThatAreOpenInThisProcess")
            command.descriptors = [2: .parentReads]
            let child = try withProcess(command)
            #expect(child.text(2).contains("role one, other\n"), "\(child.text(2))")
            return
        }
        let (one, other) = (try DescriptorPipe(), try DescriptorPipe())
        // Each becomes the number that the other one has here, so that copying either would land on the other one.
        var command = shell("echo one >/proc/self/fd/\(other.writing); echo other >/proc/self/fd/\(one.writing)")
        command.descriptors = [other.writing: .inherited(one.writing), one.writing: .inherited(other.writing), 1: .parentReads]
        try withProcess(command)
        for end in [one.writing, other.writing] { systemClose(end) }
        let texts = [one, other].map { pipe in
            String(decoding: RawSocket(descriptor: pipe.reading).readToEnd(), as: UTF8.self).filter { $0 != "\n" }
        }
        sayToParent(texts.joined(separator: ", "))
        exit(0)
    }
    #endif

    @Test func standardDescriptorsThatAreNotGivenAreTheNullDevice() throws {
        let child = try withProcess(
            ProcessCommand("/bin/sh", arguments: ["-c", "cat; echo lost >&2; echo end"], descriptors: [1: .parentReads]))
        #expect(child.text(1) == "end\n")
        #expect(child.end?.isClean == true)
    }

    @Test func noSignalIsBlockedOrIgnored() throws {
        // SIGPIPE is ignored in this process, and its threads block signals.
        let child = try withProcess(ProcessCommand("grep", arguments: ["-E", "Sig(Blk|Ign)", "/proc/self/status"]))
        #if os(Linux)
        let sets = child.text(1).split(separator: "\n").map { $0.drop { !$0.isWhitespace }.drop(while: \.isWhitespace) }
        // But for two that the C library keeps to itself.
        #expect(sets.first == "0000000000000000")
        #expect(sets.last.flatMap { UInt64($0, radix: 16) }.map { $0 & ~0x1_8000_0000 } == 0)
        #endif
        // yes ends by SIGPIPE when nobody reads it, unless that is ignored.
        let yes = try withProcess(ProcessCommand("yes")) { child, _ in
            child.whenData = { child, _ in child.transport.closeStdout() }
        }
        #expect(yes.end?.signal?.description == "SIGPIPE")
    }

    @Test func theEnvironmentIsInheritedAndMayBeChanged() throws {
        unsafe setenv("TWILL_TEST_INHERITED", "yes", 1)
        unsafe setenv("TWILL_TEST_REMOVED", "yes", 1)
        func lines(_ environment: ProcessCommand.Environment) throws -> Set<Substring> {
            Set(try withProcess(ProcessCommand("/usr/bin/env", environment: environment)).text(1).split(separator: "\n"))
        }
        let all = try lines(.inherited)
        #expect(all.isSuperset(of: ["TWILL_TEST_INHERITED=yes", "TWILL_TEST_REMOVED=yes"]))
        let some = try lines(.inherited(adding: ["TWILL_TEST_INHERITED": "no", "NEW": "a=b"], removing: ["TWILL_TEST_REMOVED"]))
        #expect(some.contains("TWILL_TEST_INHERITED=no") && some.contains("NEW=a=b"))
        #expect(!some.contains("TWILL_TEST_INHERITED=yes") && !some.contains("TWILL_TEST_REMOVED=yes"))
        #expect(try lines(.only(["A": "1"])) == ["A=1"])
    }

    @Test func argumentsAreNotInterpretedAndTheNameMayBeAnother() throws {
        var command = ProcessCommand("/bin/sh", arguments: ["-c", "printf '%s|' \"$0\" \"$@\"", "a b", "$HOME", "", "*", "ü"])
        #expect(try withProcess(command).text(1) == "a b|$HOME||*|ü|")
        command = ProcessCommand("sh", arguments: ["-c", "ps -o args= -p $$ || true; cat /proc/$$/cmdline | tr '\\0' ' '"])
        command.name = "another"
        #expect(try withProcess(command).text(1).contains("another -c"))
    }

    @Test func theWorkingDirectoryIsWhereTheChildBegins() throws {
        var command = ProcessCommand("pwd")
        command.workingDirectory = "/usr"
        #expect(try withProcess(command).text(1) == "/usr\n")
        // A relative path is taken from there.
        command = ProcessCommand("bin/env", arguments: ["pwd"], workingDirectory: "/usr")
        #expect(try withProcess(command).end?.isClean == true)
    }

    @Test func aGroupOrASessionOfItsOwn() throws {
        func ids(_ group: ProcessCommand.Group) throws -> (own: CInt, group: CInt, session: CInt) {
            var found: (CInt, CInt, CInt) = (0, 0, 0)
            var command = ProcessCommand("cat")
            command.group = group
            try withProcess(command) { child, _ in
                child.whenMade = { child in
                    let number = child.transport.pid ?? 0
                    found = (number, getpgid(number), getsid(number))
                    child.transport.closeStdin()
                }
            }
            return found
        }
        let shared = try ids(.shared)
        #expect(shared.group == getpgrp() && shared.session == getsid(0))
        let own = try ids(.own)
        #expect(own.group == own.own && own.session == getsid(0))
        let session = try ids(.ownSession)
        #expect(session.group == session.own && session.session == session.own)
    }
}

@Suite("Processes that can't be started", .nothingLivesOn) struct SpawnErrorTests {
    /// The error of a command that can't be started, after looking that nothing was left behind.
    private func refusal(_ command: ProcessCommand, sourceLocation: SourceLocation = #_sourceLocation) throws -> ProcessError? {
        var refusal: ProcessError?
        let child = ProcessRecorder()
        try withReactor { reactor in
            do throws(any Error) {
                try reactor.spawnProcess(command, protocol: child)
            } catch {
                refusal = error as? ProcessError
            }
            #expect(reactor.openCount == 0, sourceLocation: sourceLocation)
            #expect(reactor.processes.isEmpty, sourceLocation: sourceLocation)
            reactor.stop()
        }
        #expect(child.events == [], sourceLocation: sourceLocation)
        #expect(!child.isInUse, sourceLocation: sourceLocation)
        return refusal
    }

    @Test func aProgramThatIsMissing() throws {
        let error = try refusal(ProcessCommand("no-such-program"))
        #expect(error == .notFound)
        #expect(error?.errno == ENOENT)
        #expect(error?.description == "Couldn't start no-such-program: there is no such program; check the name and PATH, or give its path")
        #expect(try refusal(ProcessCommand("/no/such/program")) == .notFound)
        #expect(try refusal(ProcessCommand("")) == .notFound)
    }

    @Test func aFileThatIsNoProgram() throws {
        #expect(try refusal(ProcessCommand("/etc/passwd")) == .notExecutable)
        #expect(try refusal(ProcessCommand("/usr")) == .notExecutable)
        let script = "\(NSTemporaryDirectory())/twill-script-\(getpid())"
        try "#!/no/such/interpreter\n".write(toFile: script, atomically: true, encoding: .utf8)
        defer { unsafe unlink(script) }
        unsafe chmod(script, 0o755)
        let error = try refusal(ProcessCommand(script))
        #expect(error == .notFound)
        #expect(error?.description.contains("a script whose interpreter is missing") == true)
    }

    @Test(arguments: ["/no/such/folder", "/etc/passwd"]) func aWorkingDirectoryThatIsNone(folder: String) throws {
        let error = try refusal(ProcessCommand("cat", workingDirectory: folder))
        #expect(error == .badWorkingDirectory)
        #expect(error?.description.contains(folder) == true)
    }

    @Test func textsThatCanNotBeHandedOver() throws {
        #expect(try refusal(ProcessCommand("ca\0t")) == .badArgument)
        let error = try refusal(ProcessCommand("cat", arguments: ["a", "b\0c"]))
        #expect(error == .badArgument)
        #expect(error?.description == "Couldn't start cat: argument 2 holds a NUL character; leave that out")
        #expect(try refusal(ProcessCommand("cat", environment: .only(["A=B": "1"]))) == .badArgument)
        #expect(try refusal(ProcessCommand("cat", environment: .inherited(adding: ["": "1"]))) == .badArgument)
        #expect(
            try refusal(ProcessCommand("cat", arguments: [String](repeating: String(repeating: "x", count: 100_000), count: 100)))
                == .badArgument)
    }

    @Test func descriptorsThatAreNone() throws {
        #expect(try refusal(ProcessCommand("cat", descriptors: [3: .inherited(unusedDescriptor)])) == .badDescriptor)
        #expect(try refusal(ProcessCommand("cat", descriptors: [-1: .parentReads])) == .badDescriptor)
        #expect(try refusal(ProcessCommand("cat", descriptors: [256: .parentReads])) == .badDescriptor)
    }

    @Test func aReactorWithoutProcessesSaysSo() throws {
        let reactor = VirtualReactor()
        #expect(throws: ProcessError.unsupported) { try reactor.spawnProcess(ProcessCommand("cat"), protocol: ProcessRecorder()) }
    }
}
