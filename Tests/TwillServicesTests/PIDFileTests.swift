import ChildProcess
import Foundation
import Testing

@Suite("The pid file", .timeLimit(.minutes(5)))
struct PIDFileTests {
    let folder: TestFolder

    init() throws { folder = try TestFolder() }

    @Test func itHoldsTheNumberWhileTheProgramRunsAndGoesWithIt() throws {
        let probe = try ProbeProcess(["--pidfile", "pid"], in: folder)
        _ = try probe.port()
        #expect(folder.text("pid") == "\(probe.process.pid)\n")
        probe.process.send(SIGTERM)
        #expect(try probe.process.waitForEnd().status == 0)
        #expect(folder.names == [])
    }

    @Test func aSecondStartIsRefusedAndTouchesNothing() throws {
        let probe = try ProbeProcess(["--pidfile", "pid"], in: folder)
        _ = try probe.port()
        let end = try ProbeProcess.end(["--pidfile", "pid"], in: folder)
        #expect(end.status == 69)
        #expect(end.errors == "probe: It runs already as process \(probe.process.pid), which holds the pid file pid: stop that one first\n")
        #expect(folder.text("pid") == "\(probe.process.pid)\n")
        probe.process.send(SIGTERM)
        try probe.process.waitForEnd()
    }

    @Test func oneThatWasLeftBehindIsTakenOver() throws {
        // Of a server that was killed.
        let killed = try ProbeProcess(["--pidfile", "pid"], in: folder)
        _ = try killed.port()
        killed.process.send(SIGKILL)
        try killed.process.waitForEnd()
        #expect(folder.text("pid") == "\(killed.process.pid)\n")
        // And of one whose number is another process's by now, which began when the file was there.
        for content in [nil, "", "\(getpid())\n"] {
            if let content {
                try folder.write(content, to: "pid")
                try FileManager.default.setAttributes(
                    [.modificationDate: Date(timeIntervalSince1970: 1_000_000_000)], ofItemAtPath: folder.path("pid"))
            }
            let probe = try ProbeProcess(["--pidfile", "pid"], in: folder)
            _ = try probe.port()
            #expect(folder.text("pid") == "\(probe.process.pid)\n")
            probe.process.send(SIGTERM)
            #expect(try probe.process.waitForEnd().status == 0)
        }
    }

    @Test(arguments: ["garbage\n", "12 34\n", "-1", "0\n", String(repeating: "1", count: 100), "\u{0}"])
    func whatIsNoNumberStays(content: String) throws {
        try folder.write(content, to: "pid")
        let end = try ProbeProcess.end(["--pidfile", "pid"], in: folder)
        #expect(end.status == 78)
        #expect(end.errors.contains("holds something that is no process's number, and stays"))
        #expect(folder.text("pid") == content)
    }

    @Test func theNumberOfAnotherProgramThatMayHaveWrittenItStays() throws {
        try folder.write("\(getpid())\n", to: "pid")
        let end = try ProbeProcess.end(["--pidfile", "pid"], in: folder)
        #expect(end.status == 69)
        #expect(end.errors.contains("belongs to process \(getpid()), which runs and is another program's"))
        #expect(folder.text("pid") == "\(getpid())\n")
    }

    @Test func linksFoldersAndPipesAreNotTouched() throws {
        try folder.write("precious", to: "other")
        try FileManager.default.createSymbolicLink(atPath: folder.path("link"), withDestinationPath: "other")
        try FileManager.default.createDirectory(atPath: folder.path("folder"), withIntermediateDirectories: false)
        let made = unsafe mkfifo(folder.path("pipe"), 0o600)
        #expect(made == 0)
        for (name, sentence) in [("link", "is a link"), ("folder", "is a folder"), ("pipe", "is no file")] {
            let end = try ProbeProcess.end(["--pidfile", name], in: folder)
            #expect(end.status == 78)
            #expect(end.errors.contains("The pid file \(name) \(sentence)"))
        }
        #expect(folder.text("other") == "precious")
        #expect(folder.names == ["folder", "link", "other", "pipe"])
    }

    @Test func oneThatWasReplacedIsNotRemoved() throws {
        let probe = try ProbeProcess(["--pidfile", "pid"], in: folder)
        _ = try probe.port()
        try FileManager.default.removeItem(atPath: folder.path("pid"))
        try folder.write("somebody else's\n", to: "pid")
        probe.process.send(SIGTERM)
        #expect(try probe.process.waitForEnd().status == 0)
        #expect(folder.text("pid") == "somebody else's\n")
    }

    @Test func ofFiftyStartsAtOnceOneServes() throws {
        let probes = try (0..<50).map { _ in try ProbeProcess(["--pidfile", "pid"], in: folder) }
        // The others end, and one does not.
        try wait { probes.count { $0.process.observed.status != nil } == 49 }
        let winner = try #require(probes.first { $0.process.observed.status == nil })
        _ = try winner.port()
        #expect(folder.text("pid") == "\(winner.process.pid)\n")
        for loser in probes where loser.process.pid != winner.process.pid {
            let end = try loser.process.waitForEnd()
            #expect(end.status == 69)
            #expect(end.errors.hasPrefix("probe: It runs already"))
        }
        winner.process.send(SIGTERM)
        #expect(try winner.process.waitForEnd().status == 0)
        #expect(folder.names == [])
    }
}
