import ChildProcess
import Foundation
import Synchronization
import Testing

/// The log of a real program whose reader reads late, or never.
@Suite("The log", .timeLimit(.minutes(5)))
struct LogTests {
    let folder: TestFolder

    init() throws { folder = try TestFolder() }

    /// A named pipe that is read when a test wants it, from its first line on.
    private final class Pipe: Sendable {
        let path: String
        private let descriptor: Int32
        private let text = Mutex("")

        init(_ path: String) throws {
            self.path = path
            #expect(unsafe mkfifo(path, 0o600) == 0)
            descriptor = unsafe open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
            #expect(descriptor >= 0)
        }

        deinit { close(descriptor) }

        /// All that was read so far, what is there now included.
        func read() -> String {
            var buffer = [UInt8](repeating: 0, count: 1 << 16)
            return text.withLock { text in
                while case let count = unsafe Foundation.read(descriptor, &buffer, buffer.count), count > 0 {
                    text += String(decoding: buffer[..<count], as: UTF8.self)
                }
                return text
            }
        }
    }

    /// The program with a pipe for its standard error, and its port.
    private func start(_ pipe: Pipe, _ arguments: String...) throws -> (probe: ProbeProcess, port: Int) {
        let script = "exec \"$@\" 2>'\(pipe.path)'"
        let probe = try ProbeProcess(arguments, in: folder, through: ["/bin/sh", "-c", script, "sh"])
        try wait { pipe.read().contains("probe serves") }
        return (probe, try #require(ProbeProcess.port(in: pipe.read())))
    }

    /// Some megabytes of lines, which is more than a pipe and the program keep together; whether the program has answered each.
    private func logMegabytes(_ client: LineClient, count: Int) -> Bool {
        let rest = String(repeating: "x", count: 2000)
        return (0..<count).allSatisfy { client.ask("log number \($0) \(rest)") == "logged" }
    }

    private func numbers(in log: String) -> [Int] {
        log.split(separator: "\n").compactMap { line in
            line.contains(" number ") ? line.split(separator: " ").dropFirst(4).first.flatMap { Int($0) } : nil
        }
    }

    private func missing(in log: String) -> Int {
        log.split(separator: "\n").reduce(0) { sum, line in
            line.contains("lines of the log are missing here") ? sum + (line.split(separator: " ").last.flatMap { Int($0) } ?? 0) : sum
        }
    }

    @Test func aReaderThatDoesNotReadHoldsNobodyUpAndHearsHowManyLinesItHasMissed() throws {
        let pipe = try Pipe(folder.path("pipe"))
        let (probe, port) = try start(pipe)
        let client = try LineClient(port: port)
        #expect(logMegabytes(client, count: 3000))
        #expect(client.ask("hello") == "hello")
        // From here on it is read, and nothing is missing any more.
        try wait { missing(in: pipe.read()) > 0 }
        #expect(client.ask("log number 3000 is read") == "logged")
        try wait { pipe.read().contains("number 3000 is read") }
        let log = pipe.read()
        let numbers = numbers(in: log)
        #expect(numbers == numbers.sorted() && numbers.first == 0 && numbers.last == 3000)
        #expect(numbers.count + missing(in: log) == 3001)
        #expect(missing(in: log) < 2500, "a megabyte is kept")
        // It says so once, in the place where they are missing.
        #expect(log.components(separatedBy: "are missing here").count == 2)
        probe.process.send(SIGTERM)
        #expect(try probe.process.waitForEnd().status == 0)
        #expect(pipe.read().hasSuffix("info probe: probe has ended\n"))
    }

    @Test func aReaderThatNeverReadsDoesNotKeepTheProgramFromEnding() throws {
        let pipe = try Pipe(folder.path("pipe"))
        let (probe, port) = try start(pipe)
        #expect(logMegabytes(try LineClient(port: port), count: 500))
        for _ in 0..<100 { probe.process.send(SIGHUP) }
        probe.process.send(SIGTERM)
        #expect(try probe.process.waitForEnd().status == 0)
    }

    @Test func aReaderThatHasGoneEndsNothing() throws {
        var pipe: Pipe? = try Pipe(folder.path("pipe"))
        let (probe, port) = try start(try #require(pipe))
        pipe = nil
        let client = try LineClient(port: port)
        for _ in 0..<10 { #expect(client.ask("log to nobody") == "logged") }
        probe.process.send(SIGTERM)
        #expect(try probe.process.waitForEnd().status == 0)
    }

    @Test func noLineIsLostAtTheEnd() throws {
        let probe = try ProbeProcess([], in: folder)
        let client = try LineClient(port: probe.port())
        for number in 0..<2000 { client.send("log number \(number) of many") }
        #expect(client.ask("hello") == "logged")
        for _ in 0..<2000 { _ = client.next() }
        probe.process.send(SIGTERM)
        let end = try probe.process.waitForEnd()
        #expect(end.status == 0 && numbers(in: end.errors) == Array(0..<2000))
        #expect(end.errors.hasSuffix("info probe: probe has ended\n"))
    }

    @Test func aPipeThatNobodyReadsIsNoLogFile() throws {
        #expect(unsafe mkfifo(folder.path("pipe"), 0o600) == 0)
        let end = try ProbeProcess.end(["--logfile", "pipe", "--pidfile", "pid"], in: folder)
        #expect(end.status == 69)
        #expect(end.errors == "probe: Nobody reads the log file pipe, which is a pipe: start its reader first\n")
        #expect(folder.names == ["pipe"])
    }

    @Test func aPipeInThePlaceOfTheLogFileIsNotWaitedFor() throws {
        let probe = try ProbeProcess(["--logfile", "log"], in: folder)
        try wait { folder.text("log")?.contains("probe serves") == true }
        #expect(unsafe rename(folder.path("log"), folder.path("log.1")) == 0)
        #expect(unsafe mkfifo(folder.path("log"), 0o600) == 0)
        probe.process.send(SIGHUP)
        try wait { folder.text("log.1")?.contains("error probe: the log could not be opened anew") == true }
        let pipe = folder.path("log")
        #expect(unsafe unlink(pipe) == 0)
        probe.process.send(SIGTERM)
        #expect(try probe.process.waitForEnd().status == 0)
        #expect(folder.text("log.1")?.hasSuffix("info probe: probe has ended\n") == true)
    }

    @Test func whatPeersSayIsNotLogged() throws {
        let probe = try ProbeProcess(["--log-level", "trace"], in: folder)
        let client = try LineClient(port: probe.port())
        #expect(client.ask("a password") == "a password")
        client.send(String(repeating: "password", count: 4000))
        #expect(client.next() == nil)
        probe.process.send(SIGTERM)
        let end = try probe.process.waitForEnd()
        #expect(end.status == 0 && !end.errors.contains("password"), "\(end.errors)")
    }
}
