import ChildProcess
import Foundation
import Testing

/// The real program, in the foreground, with real signals.
@Suite("A program in the foreground", .timeLimit(.minutes(5)))
struct RunnerTests {
    let folder: TestFolder

    init() throws { folder = try TestFolder() }

    @Test func itServesAndEndsAtSIGTERMWithStatus0() throws {
        let probe = try ProbeProcess(["--nodaemon"], in: folder)
        let client = try LineClient(port: probe.port())
        #expect(client.ask("hello") == "hello")
        probe.process.send(SIGTERM)
        let end = try probe.process.waitForEnd()
        #expect(end.status == 0)
        #expect(client.next() == nil)
        #expect(end.errors.contains("notice probe: SIGTERM: draining for at most 30.0 seconds"))
        #expect(end.errors.contains("1 connections were idle, 0 finished, 0 were aborted"))
        #expect(folder.names == [])
    }

    @Test func theStatusTellsOfSIGINT() throws {
        let probe = try ProbeProcess([], in: folder)
        _ = try probe.port()
        probe.process.send(SIGINT)
        #expect(try probe.process.waitForEnd().status == 130)
    }

    @Test func busyConnectionsFinishAndNobodyNewIsServed() throws {
        let probe = try ProbeProcess([], in: folder)
        let port = try probe.port()
        let (idle, busy) = (try LineClient(port: port), try LineClient(port: port))
        #expect(idle.ask("hello") == "hello" && busy.ask("hello") == "hello")
        busy.send("slow 1")
        #expect(try LineClient(port: port).ask("hello") == "hello")
        probe.process.send(SIGTERM)
        #expect(idle.next() == nil)
        #expect(throws: ChildProcess.Failure.self) { try LineClient(port: port) }
        #expect(busy.next() == "done")
        #expect(busy.next() == nil)
        #expect(try probe.process.waitForEnd().status == 0)
    }

    @Test func theDeadlineAbortsWhatIsLeftWithStatus0() throws {
        let probe = try ProbeProcess(["--drain-timeout", "0.2"], in: folder)
        let client = try LineClient(port: probe.port())
        #expect(client.ask("hello") == "hello")
        client.send("slow 600")
        // The server has read it when it answers another one.
        #expect(client.ask("hello") == "hello")
        probe.process.send(SIGTERM)
        #expect(client.next() == nil)
        let end = try probe.process.waitForEnd()
        #expect(end.status == 0)
        #expect(end.errors.contains("0 finished, 1 were aborted"))
    }

    @Test(arguments: [SIGTERM, SIGINT]) func aSecondSignalCutsTheDrainShort(second: Int32) throws {
        let probe = try ProbeProcess(["--drain-timeout", "600"], in: folder)
        let client = try LineClient(port: probe.port())
        client.send("slow 600")
        #expect(client.ask("hello") == "hello")
        probe.process.send(SIGTERM)
        try probe.process.wait(for: "draining") { $0.errors.contains("drains 1 connections") ? () : nil }
        probe.process.send(second)
        #expect(try probe.process.waitForEnd().status == 128 + second)
        #expect(client.next() == nil)
    }

    @Test func aServiceThatNeverStopsHoldsNothingUpForEver() throws {
        let probe = try ProbeProcess(["--fail", "stop"], in: folder)
        _ = try probe.port()
        probe.process.send(SIGTERM)
        try probe.process.wait(for: "draining") { $0.errors.contains("draining") ? () : nil }
        probe.process.send(SIGTERM)
        let end = try probe.process.waitForEnd()
        #expect(end.status == 143)
        #expect(end.errors.contains("error probe: services took too long to stop"))
    }

    @Test func aReactorThatIsStoppedEndsTheProgram() throws {
        let probe = try ProbeProcess(["--reactors", "3"], in: folder)
        #expect(try LineClient(port: probe.port()).ask("stop") == "stopping")
        #expect(try probe.process.waitForEnd().status == 0)
    }

    @Test func aServiceThatFailsToStartIsASentenceAndAStatus() throws {
        for reactors in ["1", "3"] {
            let end = try ProbeProcess.end(["--fail", "start", "--reactors", reactors, "--pidfile", "pid"], in: folder)
            #expect(end.status == 78)
            #expect(end.errors.hasSuffix("probe: There is no table\n"))
            #expect(folder.names == [])
        }
    }

    @Test func aReactorThatCannotBeSetUpKeepsTheOthersFromStarting() throws {
        let arguments = ["--fail", "second", "--reactors", "2", "--pidfile", "pid", "--listen", "unix:socket", "--admin", "unix:admin"]
        let manager = folder.path("manager")
        let end = try ProbeProcess(arguments, in: folder, environment: ["NOTIFY_SOCKET": manager]).process.waitForEnd()
        #expect(end.status == 78)
        let lines = end.errors.split(separator: "\n").map { $0.split(separator: ": ", maxSplits: 1).last ?? "" }
        #expect(lines == ["table opened", "table closed", "There is no second table"])
        #expect(folder.names == [])
    }

    @Test func anAddressInUseIsASentenceAndAStatus() throws {
        let probe = try ProbeProcess([], in: folder)
        let port = try probe.port()
        let end = try ProbeProcess.end(["--listen", "tcp:127.0.0.1:\(port)", "--logfile", "log"], in: folder)
        #expect(end.status == 69)
        let sentence = "Couldn't listen on 127.0.0.1:\(port): address already in use; stop the other server or choose another port\n"
        #expect(end.errors == "probe: " + sentence)
        #expect(folder.text("log")?.hasSuffix("critical probe: " + sentence) == true)
        probe.process.send(SIGTERM)
        try probe.process.waitForEnd()
    }

    @Test(
        arguments: [
            (["--reactors", "0"], "--reactors takes a number from 1 to 1024", Int32(64)),
            (["--drain-timeout=-1"], "--drain-timeout takes seconds from 0", 64),
            (["--daemon", "--nodaemon"], "exclude each other", 64),
            (["--daemon", "--logfile", "-"], "A daemon has no standard output", 64),
            (["--syslog", "--logfile", "x"], "exclude each other", 64),
            (["--umask", "888"], "888", 64),
            (["--log-level", "loud"], "loud", 64),
            (["--listen", "nonsense:1"], "nonsense", 78),
            (["--listen", "tcp:1.2.3.4:1"], "Couldn't listen on 1.2.3.4:1", 69),
            (["--listen", "unix:/no/such/folder/socket"], "there is no such folder", 73),
            (["--logfile", "/no/such/folder/log"], "Couldn't open the log file /no/such/folder/log: no such file or directory", 73),
            (["--rundir", "/no/such/folder"], "Couldn't go to the folder /no/such/folder: no such file or directory", 73),
            (["--pidfile", "/no/such/folder/pid"], "The folder of the pid file /no/such/folder/pid does not exist", 73),
            (["--uid", "no-such-user"], "There is no user no-such-user", 67),
            (["--gid", "no-such-group"], "There is no group no-such-group", 67),
            (["--uid", "4123456789"], "User 4123456789 has no account that would say its group", 67),
        ])
    func whatIsWrongIsASentenceAndAStatus(arguments: [String], sentence: String, status: Int32) throws {
        let end = try ProbeProcess.end(arguments, in: folder)
        #expect(end.status == status)
        #expect(end.errors.contains(sentence))
        #expect(folder.names == [])
    }

    @Test func theLogIsOpenedAnewAtSIGHUP() throws {
        let probe = try ProbeProcess(["--logfile", "log"], in: folder)
        try wait { folder.text("log")?.contains("probe serves") == true }
        let port = try #require(folder.text("log").flatMap { ProbeProcess.port(in: $0) })
        try FileManager.default.moveItem(atPath: folder.path("log"), toPath: folder.path("log.1"))
        let client = try LineClient(port: port)
        #expect(client.ask("log before") == "logged")
        probe.process.send(SIGHUP)
        try wait { folder.text("log")?.contains("the log was opened anew") == true }
        #expect(client.ask("log after") == "logged")
        #expect(folder.text("log.1")?.contains("warning probe: before peer=a \"client\"\n") == true)
        try wait { folder.text("log")?.contains("warning probe: after") == true }
        let before = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(probe.process.pid)/fd").count
        for _ in 0..<200 { probe.process.send(SIGHUP) }
        #expect(client.ask("still there") == "still there")
        try wait { (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(probe.process.pid)/fd").count) == before }
        probe.process.send(SIGTERM)
        let end = try probe.process.waitForEnd()
        #expect(end.errors == "" && end.status == 0)
    }

    @Test func everyServiceReadsAnewAtSIGHUPAndConnectionsStay() throws {
        try folder.write("old", to: "table")
        let probe = try ProbeProcess(["--reactors", "2", "--table", folder.path("table")], in: folder)
        let port = try probe.port()
        var clients: [String: LineClient] = [:]
        while clients.count < 2 {
            let client = try LineClient(port: port)
            clients[try #require(client.ask("reactor"))] = client
        }
        for client in clients.values { #expect(client.ask("table") == "old") }
        try FileManager.default.removeItem(atPath: folder.path("table"))
        probe.process.send(SIGHUP)
        try probe.process.wait(for: "errors") {
            $0.errors.components(separatedBy: "error probe: table could not be reloaded, and goes on as it was").count == 3 ? () : nil
        }
        for client in clients.values { #expect(client.ask("table") == "old") }
        // However many come at once, what was there before the last one is read after it.
        for number in 0..<1000 {
            try folder.write("new \(number)", to: "table")
            probe.process.send(SIGHUP)
        }
        try wait { clients.values.allSatisfy { $0.ask("table") == "new 999" } }
        probe.process.send(SIGTERM)
        #expect(try probe.process.waitForEnd().status == 0)
    }

    @Test func theLogIsJSONIfAskedFor() throws {
        let probe = try ProbeProcess(["--log-format", "json", "--log-level", "warning", "--logfile", "-"], in: folder)
        try probe.process.wait(for: "nothing") { $0.status == nil ? () : nil }
        let serving = try ProbeProcess(["--log-format", "json", "--logfile", "-"], in: folder)
        try serving.process.wait(for: "serving") { $0.output.contains("probe serves") ? () : nil }
        struct Line: Decodable {
            let time: String
            let level: String
            let label: String
            let message: String
            let metadata: [String: String]?
        }
        let first = try #require(serving.process.observed.output.split(separator: "\n").first)
        let port = try #require(Int(try JSONDecoder().decode(Line.self, from: Data(first.utf8)).message.split(separator: ":").last ?? ""))
        #expect(try LineClient(port: port).ask("log a \"quoted\" \\ word\u{1}") == "logged")
        serving.process.send(SIGTERM)
        let lines = try serving.process.waitForEnd().output.split(separator: "\n").map {
            try JSONDecoder().decode(Line.self, from: Data($0.utf8))
        }
        let warning = try #require(lines.first { $0.level == "warning" })
        #expect(warning.message == "a \"quoted\" \\ word\u{1}" && warning.metadata == ["peer": "a \"client\""] && warning.label == "probe")
        let date = try Date(warning.time, strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: true))
        #expect(abs(date.timeIntervalSinceNow) < 60)
        probe.process.send(SIGTERM)
        #expect(try probe.process.waitForEnd().output == "")
    }

    @Test func severalReactorsServeOnePort() throws {
        let probe = try ProbeProcess(
            ["--reactors", "2", "--listen", "tcp:127.0.0.1:0", "--listen", "unix:\(folder.path("socket"))"], in: folder)
        let port = try probe.port()
        var numbers: Set<String> = []
        for _ in 0..<200 where numbers.count < 2 {
            numbers.insert(try #require(try LineClient(port: port).ask("reactor")))
        }
        #expect(numbers == ["0", "1"])
        #expect(folder.names == ["socket", "socket.lock"])
        probe.process.send(SIGTERM)
        #expect(try probe.process.waitForEnd().status == 0)
        #expect(folder.names == [])
    }

    @Test func whatOnlyTheFirstReactorHasDoesNotMixUpThePorts() throws {
        let probe = try ProbeProcess(["--reactors", "3", "--admin", "tcp:127.0.0.1:0"], in: folder)
        _ = try probe.port()
        let lines = probe.process.observed.errors.split(separator: "\n")
        let ports = Set(lines.filter { $0.contains("tcp:127.0.0.1:0 listens") }.compactMap { $0.split(separator: ":").last })
        #expect(ports.count == 1)
        let server = try #require(ports.first.flatMap { Int($0) })
        for _ in 0..<50 { #expect(try LineClient(port: server).ask("hello") == "hello") }
        probe.process.send(SIGTERM)
        #expect(try probe.process.waitForEnd().status == 0)
    }

    /// A test of the service manager's side of it is in `ServiceManagerTests`.
    @Test func socketsOfAServiceManagerAreServed() throws {
        // The shell becomes the program, whose number the variable must hold.
        let script = "exec 3<&0; export LISTEN_PID=$$ LISTEN_FDS=1; exec \"$@\""
        let end = try ProbeProcess(["--listen", "systemd:index=0"], in: folder, through: ["/bin/sh", "-c", script, "sh"]).process
            .waitForEnd()
        // Standard input is a pipe and no socket that listens; that it was looked at is what counts.
        #expect(end.errors.contains("fd:3: the descriptor is no listening stream socket"))
        #expect(end.status == 78)
        let refused = try ProbeProcess(["--daemon"], in: folder, environment: ["LISTEN_PID": "1"]).process.waitForEnd()
        #expect(refused.status == 64 && refused.errors.contains("run it in the foreground"))
    }

    @Test(.enabled(if: SocketActivationTests.hasPython, "there is no python3"), arguments: ["1", "3"])
    func aSignalThatComesBeforeItServesIsRemembered(reactors: String) throws {
        // It is there before the program's first instruction.
        let script = """
            import os, signal, sys
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
            os.kill(os.getpid(), signal.SIGTERM)
            os.execv(sys.argv[1], sys.argv[1:])
            """
        let probe = try ProbeProcess(["--reactors", reactors, "--pidfile", "pid"], in: folder, through: ["python3", "-c", script])
        let end = try probe.process.waitForEnd()
        #expect(end.status == 0 && end.errors.contains("SIGTERM: draining"), "\(end.errors)")
        #expect(folder.names == [])
    }

    @Test func aSignalThatIsIgnoredFromTheStartStaysIgnored() throws {
        let probe = try ProbeProcess([], in: folder, through: ["/bin/sh", "-c", "trap '' INT HUP; exec \"$@\"", "sh"])
        let port = try probe.port()
        probe.process.send(SIGINT)
        probe.process.send(SIGHUP)
        #expect(try LineClient(port: port).ask("hello") == "hello")
        probe.process.send(SIGTERM)
        let end = try probe.process.waitForEnd()
        #expect(end.status == 0 && !end.errors.contains("SIGINT") && !end.errors.contains("opened anew"))
    }
}

/// Waits until something holds that another process brings about.
func wait(line: Int = #line, _ condition: () -> Bool) throws {
    let deadline = Date(timeIntervalSinceNow: ChildProcess.patience)
    while !condition() {
        guard Date() < deadline else { throw ChildProcess.Failure("waited in vain in line \(line)") }
        usleep(5_000)
    }
}
