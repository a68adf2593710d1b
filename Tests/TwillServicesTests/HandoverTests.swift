import ChildProcess
import Foundation
import Synchronization
import Testing

#if os(Linux)
@Suite("A hand-over", .timeLimit(.minutes(5)))
struct HandoverTests {
    let folder: TestFolder

    init() throws { folder = try TestFolder() }

    private func start(_ more: String...) throws -> ProbeProcess {
        try ProbeProcess(["--handover", "handover", "--pidfile", "pid"] + more, in: folder)
    }

    private func waitUntilServing(_ probe: ProbeProcess) throws {
        try probe.process.wait(for: "serving") { $0.errors.contains("probe serves") ? () : nil }
    }

    @Test(arguments: [["1", "1", "1", "1"], ["2", "2", "2", "2"], ["1", "3", "2", "4"], ["4", "1", "3", "1"]])
    func nobodyIsRefusedWhileProcessesFollowEachOther(reactors: [String]) throws {
        var current = try start("--reactors", reactors[0])
        let port = try current.port()
        let load = ConnectionLoad()
        load.begin(port: port, threads: 2)
        let busy = try LineClient(port: port)
        #expect(busy.ask("hello") == "hello")
        busy.send("slow 1")
        for number in 1...3 {
            let before = load.done
            try wait { load.done > before + 200 }
            let next = try start("--reactors", reactors[number])
            try waitUntilServing(next)
            if number == 1 {
                // What was under way is finished by the process that began it.
                #expect(busy.next() == "done")
            }
            let end = try current.process.waitForEnd()
            #expect(end.status == 0)
            #expect(end.errors.contains("another process has taken over"))
            #expect(folder.text("pid") == "\(next.process.pid)\n")
            // The sockets of a process that had more reactors go on to be served.
            let most = reactors[...number].compactMap { Int($0) }.max()
            try wait { SystemSockets.count(in: "tcp", at: port) == most }
            current = next
        }
        let counts = try load.end()
        #expect(counts.failures == [])
        #expect(counts.done > 600)
        #expect(try LineClient(port: port).ask("hello") == "hello")
        current.process.send(SIGTERM)
        let end = try current.process.waitForEnd()
        #expect(end.status == 0 && !end.errors.contains(" error "), "\(end.errors)")
        #expect(folder.names == [])
    }

    @Test func oneThatDiesBeforeItServesChangesNothing() throws {
        let current = try start()
        let port = try current.port()
        let failed = try start("--fail", "start").process.waitForEnd()
        #expect(failed.status == 78)
        let crashed = try ProbeProcess(
            ["--handover", "handover", "--fail", "crash"], in: folder, environment: ["SWIFT_BACKTRACE": "enable=no"]
        ).process.waitForEnd()
        #expect((crashed.status ?? 0) < 0)
        #expect(try LineClient(port: port).ask("hello") == "hello")
        #expect(folder.text("pid") == "\(current.process.pid)\n")
        #expect(current.process.observed.status == nil)
        current.process.send(SIGTERM)
        #expect(try current.process.waitForEnd().status == 0)
        #expect(folder.names == [])
    }

    @Test func oneOfMoreReactorsThatDiesBeforeItServesTakesNobodyWithIt() throws {
        let current = try start()
        let load = ConnectionLoad()
        load.begin(port: try current.port(), threads: 2)
        for fail in ["start", "last", "second"] {
            let before = load.done
            try wait { load.done > before + 100 }
            #expect(try start("--reactors", "4", "--fail", fail).process.waitForEnd().status == 78)
        }
        let before = load.done
        try wait { load.done > before + 100 }
        #expect(try load.end().failures == [])
        current.process.send(SIGTERM)
        #expect(try current.process.waitForEnd().status == 0)
    }

    @Test func aSocketThatTheNextProcessDoesNotWantIsClosedByTheFirst() throws {
        let socket = folder.path("socket")
        let first = try start("--listen", "unix:\(socket)")
        try waitUntilServing(first)
        let second = try start()
        try waitUntilServing(second)
        #expect(try first.process.waitForEnd().status == 0)
        #expect(
            second.process.observed.errors.contains("was handed over, and nobody here asks for it: the process before this one closes it"))
        second.process.send(SIGTERM)
        #expect(try second.process.waitForEnd().status == 0)
    }

    @Test(arguments: [["1", "1"], ["3", "1"], ["1", "3"], ["2", "3", "1"]])
    func noDatagramIsLostWhileProcessesFollowEachOther(reactors: [String]) throws {
        var current = try start("--udp", "0", "--reactors", reactors[0])
        try waitUntilServing(current)
        let port = try #require(ProbeProcess.port(in: current.process.observed.errors, of: "datagrams"))
        // As many senders as it takes to reach every socket.
        let senders = try (0..<24).map { _ in try DatagramClient(port: port) }
        let load = DatagramLoad()
        load.begin(senders)
        for number in reactors.dropFirst() {
            let before = load.done
            try wait { load.done > before + 200 }
            let next = try start("--udp", "0", "--reactors", number)
            try waitUntilServing(next)
            #expect(try current.process.waitForEnd().status == 0)
            current = next
            // Those of a process that had more reactors go on to be served; one that has more shares them.
            try wait { SystemSockets.count(in: "udp", at: port) == Int(reactors[0]) }
        }
        let before = load.done
        try wait { load.done > before + 200 }
        let counts = try load.end()
        #expect(counts.failures == [])
        // From now on all are answered by the one that there is.
        for sender in senders { #expect(sender.ask("hello") == "\(current.process.pid) hello") }
        current.process.send(SIGTERM)
        #expect(try current.process.waitForEnd().status == 0)
    }

    @Test func whatTheSystemHasQueuedIsAnswered() throws {
        let first = try start("--udp", "0")
        let datagrams = { ProbeProcess.port(in: $0, of: "datagrams") }
        let port = try first.port()
        let sender = try DatagramClient(port: try #require(datagrams(first.process.observed.errors)))
        let client = try LineClient(port: port)
        #expect(client.ask("hello") == "hello")
        // What comes while the first one is held up waits in the system, and then the second one is there, too.
        client.send("block")
        let second = try start("--udp", "0")
        for number in 0..<100 { sender.send("\(number)") }
        var answers: Set<Substring> = []
        for _ in 0..<100 { answers.insert(try #require(sender.next()?.split(separator: " ").last)) }
        #expect(answers.count == 100)
        try waitUntilServing(second)
        #expect(try first.process.waitForEnd().status == 0)
        #expect(sender.ask("hello") == "\(second.process.pid) hello")
        second.process.send(SIGTERM)
        #expect(try second.process.waitForEnd().status == 0)
    }

    @Test func fromTheMomentTheNextOneServesDatagramsAreThatOnes() throws {
        let first = try start("--udp", "0")
        let client = try LineClient(port: try first.port())
        let senders = try (0..<20).map { _ in
            try DatagramClient(port: try #require(ProbeProcess.port(in: first.process.observed.errors, of: "datagrams")))
        }
        client.send("slow 600")
        #expect(client.ask("hello") == "hello")
        let second = try start("--udp", "0")
        try waitUntilServing(second)
        try first.process.wait(for: "draining") { $0.errors.contains("drains 1 connections") ? () : nil }
        for _ in 0..<20 {
            for sender in senders { #expect(sender.ask("hello") == "\(second.process.pid) hello") }
        }
        #expect(first.process.observed.status == nil)
        for probe in [first, second] { probe.process.send(SIGTERM) }
        try first.process.wait(for: "the signal") { $0.errors.contains("SIGTERM: draining") ? () : nil }
        first.process.send(SIGTERM)
        #expect(try second.process.waitForEnd().status == 0)
        _ = try first.process.waitForEnd()
    }

    @Test(.enabled(if: isRoot, "it takes root to be another user")) func strangersGetNoSocketsAndNoneAreTakenFromThem() throws {
        let name = "@twill-handover-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
        let stranger = ["/usr/bin/setpriv", "--reuid", "65533", "--regid", "65533", "--clear-groups"]
        func start(_ more: String..., through wrapper: [String] = []) throws -> ProbeProcess {
            try ProbeProcess(["--handover", name] + more, in: folder, through: wrapper)
        }
        let first = try start("--uid", "nobody")
        try waitUntilServing(first)
        #expect(try start(through: stranger).process.waitForEnd().status == 69)
        // Root may ask, and takes nothing from whom it will not be.
        let refused = try start().process.waitForEnd()
        #expect(refused.status == 69 && refused.errors.contains("it is a process of user 65534"), "\(refused.errors)")
        let second = try start("--uid", "nobody")
        try waitUntilServing(second)
        let end = try first.process.waitForEnd()
        #expect(end.status == 0 && end.errors.contains("another process has taken over"))
        second.process.send(SIGTERM)
        #expect(try second.process.waitForEnd().status == 0)
    }

    @Test(.enabled(if: isRoot && SocketActivationTests.hasPython, "it takes root to be another user, and python3"))
    func aStrangerIsToldNothing() throws {
        let name = "@twill-handover-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
        let first = try ProbeProcess(["--handover", name], in: folder)
        try waitUntilServing(first)
        let script = """
            import os, socket, sys
            os.setuid(65533)
            peer = socket.socket(socket.AF_UNIX)
            peer.connect("\\0" + sys.argv[1][1:])
            peer.settimeout(30)
            try:
                peer.sendall(b"sockets\\nready\\n")
                print(peer.recv(100))
            except (BrokenPipeError, ConnectionResetError):
                print(b"")
            """
        let said = try ChildProcess(["/usr/bin/env", "python3", "-c", script, name]).waitForEnd()
        #expect(said.output == "b''\n", "\(said.output) \(said.errors)")
        try first.process.wait(for: "a warning") {
            $0.errors.contains("whoever asks for the sockets gets none: it is a process of user 65533") ? () : nil
        }
        #expect(try LineClient(port: first.port()).ask("hello") == "hello")
        first.process.send(SIGTERM)
        #expect(try first.process.waitForEnd().status == 0)
    }

    @Test(arguments: ["1", "3"]) func socketFilesStayForTheNextProcess(reactors: String) throws {
        let socket = folder.path("socket")
        let first = try start("--listen", "unix:\(socket)")
        try waitUntilServing(first)
        let second = try start("--listen", "unix:\(socket)", "--reactors", reactors)
        try waitUntilServing(second)
        #expect(try first.process.waitForEnd().status == 0)
        #expect(folder.names.contains("socket"))
        second.process.send(SIGTERM)
        #expect(try second.process.waitForEnd().status == 0)
        // The lock was the first one's, which has left it for good.
        #expect(folder.names == ["socket.lock"])
    }

    @Test func whoAnswersOtherwiseEndsTheStart() throws {
        // A server of lines that is no hand-over.
        let other = try ProbeProcess(["--listen", "unix:\(folder.path("handover"))"], in: folder)
        try waitUntilServing(other)
        let end = try start().process.waitForEnd()
        #expect(end.status == 69)
        #expect(end.errors.contains("The process at handover did not hand over its sockets"))
        other.process.send(SIGTERM)
        try other.process.waitForEnd()
    }
}
#endif
