import ChildProcess
import Foundation
import Testing

#if os(Linux)
/// The system's log, in the place where programs look for it: where there is none, a test may be it.
@Suite(
    "The system's log", .timeLimit(.minutes(5)),
    .serialized,
    .enabled(if: isRoot && !FileManager.default.fileExists(atPath: "/dev/log"), "it takes root, and a machine that has no log of its own"))
struct SyslogTests {
    @Test func linesGoThereWithTheNameAndThePriority() throws {
        let folder = try TestFolder()
        let log = try Manager("/dev/log")
        defer { _ = unsafe unlink("/dev/log") }
        let probe = try ProbeProcess(["--syslog"], in: folder)
        // <30>: a daemon's, for information.
        let line = try #require(log.next())
        #expect(line.hasPrefix("<30>") && line.contains("probe[\(probe.process.pid)]: tcp:127.0.0.1:0 listens on 127.0.0.1:"))
        #expect(log.next()?.hasSuffix("probe serves") == true)
        probe.process.send(SIGTERM)
        let end = try probe.process.waitForEnd()
        #expect(end.status == 0 && end.errors == "" && end.output == "")
        #expect(log.next()?.hasPrefix("<29>") == true)
    }

    @Test func itIsFoundFromWithinAnotherRoot() throws {
        let folder = try TestFolder()
        let log = try Manager("/dev/log")
        defer { _ = unsafe unlink("/dev/log") }
        let probe = try ProbeProcess(["--syslog", "--chroot", folder.path, "--rundir", "/"], in: folder)
        #expect(log.next()?.contains("listens on 127.0.0.1:") == true)
        probe.process.send(SIGTERM)
        #expect(try probe.process.waitForEnd().status == 0)
    }

    @Test func oneThatStallsHoldsNobodyUp() throws {
        let folder = try TestFolder()
        let log = try Manager("/dev/log")
        defer { _ = unsafe unlink("/dev/log") }
        let probe = try ProbeProcess(["--syslog"], in: folder)
        let port = try #require(log.next().flatMap { $0.split(separator: ":").last.flatMap { Int($0) } })
        let client = try LineClient(port: port)
        // The system keeps some hundred at the most.
        for _ in 0..<2000 { #expect(client.ask("log a line") == "logged") }
        #expect(client.ask("hello") == "hello")
        probe.process.send(SIGTERM)
        #expect(try probe.process.waitForEnd().status == 0)
    }
}
#endif
