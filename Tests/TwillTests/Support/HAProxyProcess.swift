import ChildProcess
import Foundation

@testable import Twill

/// A real haproxy with a configuration of the test's, on ports of this machine that nobody had; ended when this object goes.
final class HAProxyProcess {
    /// Where haproxy lies; nil where it is not installed. Debian puts it where only root's path leads.
    static let program: String? = {
        let path = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map(String.init)
        return (path + ["/usr/sbin", "/usr/local/sbin"]).map { "\($0)/haproxy" }.first { FileManager.default.isExecutableFile(atPath: $0) }
    }()

    /// What is said where there is none.
    static let isMissing = "haproxy is not installed: scripts/install-dependencies --if-possible haproxy installs it"

    /// The ports that the configuration got, to connect to.
    let ports: [Int]
    private let child: ChildProcess
    private let folder: Folder

    /// A folder that goes with this object, also where haproxy never started.
    private final class Folder {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("twill-haproxy-\(UUID().uuidString)")

        init() throws { try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true) }

        deinit { try? FileManager.default.removeItem(at: url) }
    }

    /// Starts haproxy and waits until it listens.
    ///
    /// - Parameter configuration: makes the part behind `defaults`, which the test does not care about, with the ports and with a folder for sockets.
    convenience init(portCount: Int = 1, _ configuration: ([Int], String) -> String) throws {
        try self.init(portCount: portCount) { ports, folder in
            """
            global
                maxconn 200
            defaults
                mode tcp
                timeout connect 5s
                timeout client 20s
                timeout server 20s
            \(configuration(ports, folder))

            """
        }
    }

    /// The same with all of the configuration.
    init(portCount: Int = 1, whole configuration: ([Int], String) -> String) throws {
        guard let program = Self.program else { throw ChildProcess.Failure(Self.isMissing) }
        folder = try Folder()
        // A free port may be somebody else's by the time at which haproxy asks for it.
        for _ in 0..<5 {
            let ports = try Self.freePorts(portCount + 1)
            let ready = """

                frontend ready
                    mode tcp
                    timeout client 1s
                    bind 127.0.0.1:\(ports[portCount])
                    tcp-request connection reject

                """
            let file = folder.url.appendingPathComponent("haproxy.cfg")
            try (configuration(Array(ports.prefix(portCount)), folder.url.path) + ready).write(to: file, atomically: true, encoding: .utf8)
            let child = try ChildProcess([program, "-db", "-f", file.path])
            if try Self.waitUntilReady(child, ports[portCount]) {
                self.ports = Array(ports.prefix(portCount))
                self.child = child
                return
            }
        }
        throw ChildProcess.Failure("haproxy found no free port five times in a row")
    }

    deinit {
        child.send(SIGTERM)
        _ = try? child.waitForEnd()
    }

    /// All of them at once, so that no two are the same.
    private static func freePorts(_ count: Int) throws -> [Int] {
        let listeners = try (0..<count).map { _ in try RawSocket.listener(backlog: 1) }
        return withExtendedLifetime(listeners) { listeners.map(\.1) }
    }

    /// Whether it listens; not, where one of the ports was taken.
    private static func waitUntilReady(_ child: ChildProcess, _ port: Int) throws -> Bool {
        for _ in 0..<2_000 {
            // It binds all of its ports, or none; but UNIX sockets get their names last. Once it runs, it closes this connection.
            if let probe = try? RawSocket(connectedTo: port) {
                _ = try? probe.receiveToEnd()
                if child.observed.status == nil { return true }
            }
            if child.observed.status != nil {
                let said = try child.waitForEnd().errors
                if said.contains("cannot bind") { return false }
                throw ChildProcess.Failure("haproxy did not start: \(said)")
            }
            pauseThread(.milliseconds(10))
        }
        throw ChildProcess.Failure("haproxy did not listen in time")
    }
}
