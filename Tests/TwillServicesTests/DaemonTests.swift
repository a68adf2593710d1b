import ChildProcess
import Foundation
import Testing

/// What `/proc/PID/status` says.
private func status(_ pid: Int32, _ field: String) -> [Substring] {
    let text = (try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)) ?? ""
    return text.split(separator: "\n").first { $0.hasPrefix("\(field):") }?.split(whereSeparator: \.isWhitespace).dropFirst().map { $0 }
        ?? []
}

#if os(Linux)
@Suite("A daemon", .timeLimit(.minutes(5)))
struct DaemonTests {
    let folder: TestFolder

    init() throws { folder = try TestFolder() }

    private var pid: Int32? { folder.text("probe.pid").flatMap { Int32($0.dropLast()) } }

    private func waitForEnd(of pid: Int32) throws {
        try wait { kill(pid, 0) != 0 || status(pid, "State").first == "Z" }
    }

    @Test func theFirstProcessEndsWhenTheOtherServes() throws {
        let end = try ProbeProcess.end(["--daemon"], in: folder)
        #expect(end.status == 0 && end.errors == "" && end.output == "")
        let pid = try #require(pid)
        defer { kill(pid, SIGKILL) }
        // A thread of its own writes it.
        try wait { folder.text("probe.log")?.contains("probe serves") == true }
        let port = try #require(folder.text("probe.log").flatMap { ProbeProcess.port(in: $0) })
        #expect(try LineClient(port: port).ask("hello") == "hello")
        // In a session of its own, without a terminal, and with nothing of whoever started it.
        #expect(getsid(pid) == pid)
        for descriptor in 0..<3 {
            #expect(try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(pid)/fd/\(descriptor)") == "/dev/null")
        }
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(pid)/cwd") == folder.path)
        #expect(status(pid, "Umask") == ["0077"])
        let environment = try Data(contentsOf: URL(fileURLWithPath: "/proc/\(pid)/environ"))
        #expect(!environment.isEmpty)
        kill(pid, SIGTERM)
        try waitForEnd(of: pid)
        #expect(folder.names == ["probe.log"])
        #expect(folder.text("probe.log")?.hasSuffix("info probe: probe has ended\n") == true)
    }

    @Test func aStartThatFailsIsToldByTheFirstProcess() throws {
        let end = try ProbeProcess.end(["--daemon", "--fail", "start"], in: folder)
        #expect(end.status == 78)
        #expect(end.errors == "probe: There is no table\n")
        #expect(folder.names == ["probe.log"])
        #expect(folder.text("probe.log")?.contains("critical probe: There is no table") == true)
    }

    @Test func aStartThatCrashesIsToldByTheFirstProcess() throws {
        let end = try ProbeProcess(["--daemon", "--fail", "crash"], in: folder, environment: ["SWIFT_BACKTRACE": "enable=no"]).process
            .waitForEnd()
        #expect(end.status == 70)
        #expect(end.errors.hasPrefix("probe: It ended with signal "))
    }

    @Test func aDaemonThatRunsAlreadyIsLeftAlone() throws {
        #expect(try ProbeProcess.end(["--daemon"], in: folder).status == 0)
        let pid = try #require(pid)
        defer { kill(pid, SIGKILL) }
        let second = try ProbeProcess.end(["--daemon"], in: folder)
        #expect(second.status == 69 && second.errors.contains("It runs already as process \(pid)"))
        #expect(self.pid == pid)
        kill(pid, SIGTERM)
        try waitForEnd(of: pid)
    }
}

@Suite("Privileges", .timeLimit(.minutes(5)), .enabled(if: isRoot, "only root has privileges to give up"))
struct PrivilegeTests {
    let folder: TestFolder

    init() throws { folder = try TestFolder() }

    @Test func theUserTheGroupAndTheOtherGroupsAreGivenUpAfterThePortsAreBound() throws {
        let probe = try ProbeProcess(
            ["--uid", "nobody", "--listen", "tcp:127.0.0.1:941", "--pidfile", "pid", "--logfile", "log", "--reactors", "2"], in: folder)
        try wait { folder.text("log")?.contains("probe serves") == true }
        let (user, group) = ("65534", "65534")
        // Of every thread.
        let threads = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(probe.process.pid)/task")
        #expect(threads.count >= 3)
        for thread in threads {
            let text = try String(contentsOfFile: "/proc/\(probe.process.pid)/task/\(thread)/status", encoding: .utf8)
            #expect(
                text.contains("\nUid:\t\(user)\t\(user)\t\(user)\t\(user)\n")
                    && text.contains("\nGid:\t\(group)\t\(group)\t\(group)\t\(group)\n"))
            #expect(text.contains("\nGroups:\t\(group) \n") && text.contains("\nCapEff:\t0000000000000000\n"))
            #expect(text.contains("\nNoNewPrivs:\t1\n"))
        }
        // Its memory may hold what only root may read: it is not written to a file, and nobody but root may look into it.
        let limits = try String(contentsOfFile: "/proc/\(probe.process.pid)/limits", encoding: .utf8)
        #expect(
            limits.split(separator: "\n").first { $0.hasPrefix("Max core file size") }?.split(separator: " ").dropFirst(4).prefix(2) == [
                "0", "0",
            ])
        let memory = try FileManager.default.attributesOfItem(atPath: "/proc/\(probe.process.pid)/mem")[.ownerAccountID] as? NSNumber
        #expect(memory?.intValue == 0)
        #expect(try LineClient(port: 941).ask("hello") == "hello")
        // The log is the user's, who will open it anew; the pid file is root's, in root's folder, and is emptied at the end.
        let owner = try FileManager.default.attributesOfItem(atPath: folder.path("log"))[.ownerAccountID] as? NSNumber
        #expect(owner?.intValue == 65534)
        probe.process.send(SIGTERM)
        #expect(try probe.process.waitForEnd().status == 0)
        #expect(folder.text("pid") == "")
    }

    @Test func aGroupAloneTakesTheOtherGroupsAwayToo() throws {
        let probe = try ProbeProcess(["--gid", "nogroup"], in: folder)
        _ = try probe.port()
        #expect(status(probe.process.pid, "Gid") == ["65534", "65534", "65534", "65534"])
        #expect(status(probe.process.pid, "Uid") == ["0", "0", "0", "0"])
        #expect(status(probe.process.pid, "Groups") == ["65534"])
        probe.process.send(SIGTERM)
        #expect(try probe.process.waitForEnd().status == 0)
    }

    @Test func whoIsNotRootMayNotBecomeSomebodyElseNorTakeALowPort() throws {
        let other = ["/usr/bin/setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
        let asRoot = try ProbeProcess(["--uid", "root"], in: folder, through: other).process.waitForEnd()
        #expect(asRoot.status == 77)
        #expect(
            asRoot.errors == "probe: Only root may run the program as another user or group: start it as root, or without --uid and --gid\n"
        )
        let low = try ProbeProcess(["--listen", "tcp:127.0.0.1:942"], in: folder, through: other).process.waitForEnd()
        // Some systems let everybody have it.
        if low.status != nil, !low.errors.contains("probe serves") {
            #expect(low.status == 77)
            #expect(low.errors.contains("permission denied; choose a port above 1023"))
        }
        let locked = try ProbeProcess(["--pidfile", "pid"], in: folder, through: other).process.waitForEnd()
        #expect(locked.status == 77 && locked.errors.contains("Couldn't open the pid file pid: permission denied"))
        let chroot = try ProbeProcess(["--chroot", folder.path], in: folder, through: other).process.waitForEnd()
        #expect(chroot.status == 77 && chroot.errors.contains("the root of all: operation not permitted"))
        #expect(folder.names == [])
    }

    @Test func theRootCanBeAFolder() throws {
        let probe = try ProbeProcess(
            ["--chroot", folder.path, "--rundir", "/", "--uid", "nobody", "--pidfile", "/pid", "--logfile", "/log"], in: folder)
        try wait { folder.text("log")?.contains("probe serves") == true }
        #expect(folder.text("pid") == "\(probe.process.pid)\n")
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(probe.process.pid)/root") == folder.path)
        probe.process.send(SIGTERM)
        #expect(try probe.process.waitForEnd().status == 0)
    }
}
#endif
