import ChildProcess
import Foundation
import Testing

/// What a service manager does: it listens on a datagram socket.
final class Manager {
    let descriptor: Int32

    /// - Parameter name: a path, or a name that begins with @.
    init(_ name: String) throws {
        #if canImport(Darwin)
        descriptor = socket(AF_UNIX, SOCK_DGRAM, 0)
        #else
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        #endif
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var bytes = Array(name.utf8)
        if name.hasPrefix("@") { bytes[0] = 0 }
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: bytes) }
        let length = socklen_t(2 + bytes.count + (name.hasPrefix("@") ? 0 : 1))
        let result = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe bind(descriptor, $0, length) }
        }
        #expect(result == 0)
        var patience = timeval(tv_sec: 30, tv_usec: 0)
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(descriptor) }

    func next() -> String? { receive(0) }

    #if os(Linux)
    /// What has come already.
    func nextIfThere() -> String? { receive(Int32(truncatingIfNeeded: Int(MSG_DONTWAIT))) }
    #endif

    private func receive(_ flags: Int32) -> String? {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = unsafe recv(descriptor, &buffer, buffer.count, flags)
        return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : nil
    }
}

@Suite("A service manager", .timeLimit(.minutes(5)))
struct ServiceManagerTests {
    let folder: TestFolder

    init() throws { folder = try TestFolder() }

    #if os(Linux)
    static let names = ["/socket", "@twill-services-test-\(getpid())"]
    #else
    static let names = ["/socket"]
    #endif

    @Test(arguments: names) func itHearsWhenTheProgramServesAndWhenItStops(name: String) throws {
        let place = name.hasPrefix("@") ? name : folder.path + name
        let manager = try Manager(place)
        let probe = try ProbeProcess(["--reactors", "2"], in: folder, environment: ["NOTIFY_SOCKET": place])
        #expect(manager.next() == "READY=1\nMAINPID=\(probe.process.pid)")
        #expect(try LineClient(port: probe.port()).ask("hello") == "hello")
        probe.process.send(SIGTERM)
        #expect(manager.next() == "STOPPING=1")
        #expect(try probe.process.waitForEnd().status == 0)
    }

    @Test func aHandoverIsNoEnd() throws {
        let place = folder.path("socket")
        let manager = try Manager(place)
        let first = try ProbeProcess(["--handover", "handover"], in: folder, environment: ["NOTIFY_SOCKET": place])
        #expect(manager.next() == "READY=1\nMAINPID=\(first.process.pid)")
        let second = try ProbeProcess(["--handover", "handover"], in: folder, environment: ["NOTIFY_SOCKET": place])
        #expect(try first.process.waitForEnd().status == 0)
        #expect(manager.next() == "READY=1\nMAINPID=\(second.process.pid)")
        second.process.send(SIGTERM)
        #expect(manager.next() == "STOPPING=1")
        #expect(try second.process.waitForEnd().status == 0)
    }

    @Test func itHearsOfAReload() throws {
        let manager = try Manager(folder.path("socket"))
        let probe = try ProbeProcess(["--reactors", "2"], in: folder, environment: ["NOTIFY_SOCKET": folder.path("socket")])
        #expect(manager.next()?.hasPrefix("READY=1") == true)
        var before = timespec()
        _ = unsafe clock_gettime(CLOCK_MONOTONIC, &before)
        probe.process.send(SIGHUP)
        let begin = try #require(manager.next())
        #expect(begin.hasPrefix("RELOADING=1\nMONOTONIC_USEC="))
        let moment = try #require(begin.split(separator: "=").last.flatMap { Int($0) })
        #expect(moment >= Int(before.tv_sec) * 1_000_000 + before.tv_nsec / 1_000)
        #expect(manager.next() == "READY=1")
        probe.process.send(SIGTERM)
        #expect(manager.next() == "STOPPING=1")
        #expect(try probe.process.waitForEnd().status == 0)
    }

    @Test func itHearsAgainAndAgainThatAllIsWellUntilTheProgramIsNot() throws {
        let manager = try Manager(folder.path("socket"))
        let probe = try ProbeProcess(
            ["--reactors", "2"], in: folder, environment: ["NOTIFY_SOCKET": folder.path("socket"), "WATCHDOG_USEC": "100000"])
        #expect(manager.next()?.hasPrefix("READY=1") == true)
        for _ in 0..<5 { #expect(manager.next() == "WATCHDOG=1") }
        probe.process.send(SIGTERM)
        #expect(try probe.process.waitForEnd().status == 0)
    }

    #if os(Linux)
    @Test func itHearsNothingWhileOneReactorDoesNotAnswer() throws {
        let manager = try Manager(folder.path("socket"))
        let probe = try ProbeProcess(
            ["--reactors", "2"], in: folder, environment: ["NOTIFY_SOCKET": folder.path("socket"), "WATCHDOG_USEC": "40000"])
        let port = try probe.port()
        // One on each reactor: whichever tells the manager, and the other.
        for number in ["0", "1"] {
            var client = try LineClient(port: port)
            while client.ask("reactor") != number { client = try LineClient(port: port) }
            client.send("block")
            #expect(manager.next() != nil)
            while manager.nextIfThere() != nil {}
            #expect(client.next() == "unblocked")
            var heard = 0
            while manager.nextIfThere() != nil { heard += 1 }
            // As many as the system keeps, otherwise: ten or more.
            #expect(heard <= 5, "\(heard)")
        }
        probe.process.send(SIGTERM)
        #expect(try probe.process.waitForEnd().status == 0)
    }
    #endif

    @Test func aStartThatFailsIsNeverReady() throws {
        let manager = try Manager(folder.path("socket"))
        let end = try ProbeProcess(["--fail", "start"], in: folder, environment: ["NOTIFY_SOCKET": folder.path("socket")]).process
            .waitForEnd()
        #expect(end.status == 78)
        #expect(manager.next() == "STOPPING=1")
    }

    @Test func aSocketThatIsNotThereIsNoReasonNotToStart() throws {
        let probe = try ProbeProcess([], in: folder, environment: ["NOTIFY_SOCKET": "/no/such/socket", "WATCHDOG_USEC": "nonsense"])
        _ = try probe.port()
        probe.process.send(SIGTERM)
        #expect(try probe.process.waitForEnd().status == 0)
    }
}

#if os(Linux)
/// Sockets that were opened before the program began, as `systemd-socket-activate` hands them down.
@Suite("Socket activation", .timeLimit(.minutes(5)))
struct SocketActivationTests {
    /// A listening socket under the number that the first one has, and the program in the place of the shell that says so.
    private static let script = """
        import os, socket, sys
        listening = socket.socket()
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        os.dup2(listening.fileno(), 3)
        os.set_inheritable(3, True)
        os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="line")
        os.execv(sys.argv[1], sys.argv[1:])
        """

    static let hasPython = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
        .contains { FileManager.default.isExecutableFile(atPath: "\($0)/python3") }

    @Test(.enabled(if: hasPython, "there is no python3"), arguments: ["systemd:index=0", "systemd:name=line"], ["1", "2"])
    func aSocketThatWasHandedDownIsServed(endpoint: String, reactors: String) throws {
        let folder = try TestFolder()
        let probe = try ProbeProcess(
            ["--listen", endpoint, "--reactors", reactors], in: folder, through: ["python3", "-c", Self.script])
        let port = try probe.port()
        for _ in 0..<20 { #expect(try LineClient(port: port).ask("hello") == "hello") }
        probe.process.send(SIGTERM)
        #expect(try probe.process.waitForEnd().status == 0)
    }

    @Test(
        .enabled(
            if: FileManager.default.isExecutableFile(atPath: "/usr/bin/systemd-socket-activate"), "there is no systemd-socket-activate"))
    func systemdStartsItWithTheFirstConnection() throws {
        let folder = try TestFolder()
        // A port that was free a moment ago: the tool takes none by itself.
        let free = try ProbeProcess([], in: folder)
        let port = try free.port()
        free.process.send(SIGTERM)
        try free.process.waitForEnd()
        let probe = try ProbeProcess(
            ["--listen", "systemd:index=0"], in: folder, through: ["/usr/bin/systemd-socket-activate", "--listen=127.0.0.1:\(port)"])
        try wait { probe.process.observed.errors.contains("Listening on") }
        #expect(try LineClient(port: port).ask("hello") == "hello")
        probe.process.send(SIGTERM)
        #expect(try probe.process.waitForEnd().status == 0)
    }
}
#endif
