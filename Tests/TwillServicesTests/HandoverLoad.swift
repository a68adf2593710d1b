import ChildProcess
import Foundation
import Synchronization

/// Connects again and again, says a line and hears it; every failure counts.
final class ConnectionLoad: Sendable {
    struct Counts {
        var done = 0
        var failures: [String] = []
        var isOver = false
        var running = 0
    }

    private let counts = Mutex(Counts())

    func begin(port: Int, threads: Int) {
        for _ in 0..<threads {
            counts.withLock { $0.running += 1 }
            Thread.detachNewThread { [self] in
                while !counts.withLock({ $0.isOver }) {
                    let problem: String?
                    do {
                        problem = try LineClient(port: port).ask("hello") == "hello" ? nil : "no answer"
                    } catch {
                        problem = "\(error)"
                    }
                    counts.withLock { counts in
                        counts.done += 1
                        if let problem { counts.failures.append(problem) }
                    }
                }
                counts.withLock { $0.running -= 1 }
            }
        }
    }

    var done: Int { counts.withLock { $0.done } }

    func end() throws -> Counts {
        counts.withLock { $0.isOver = true }
        try wait { counts.withLock { $0.running } == 0 }
        return counts.withLock { $0 }
    }
}

/// Datagrams of many senders, each of which waits for its answer before it sends the next; one that does not come counts as a failure.
final class DatagramLoad: Sendable {
    private let counts = Mutex(ConnectionLoad.Counts())

    func begin(_ senders: [DatagramClient]) {
        counts.withLock { $0.running += 1 }
        Thread.detachNewThread { [self] in
            var number = 0
            while !counts.withLock({ $0.isOver }) {
                for sender in senders { sender.send("\(number)") }
                for sender in senders {
                    let answer = sender.next()
                    counts.withLock { counts in
                        counts.done += 1
                        if answer?.hasSuffix(" \(number)") != true { counts.failures.append("\(number): \(answer ?? "no answer")") }
                    }
                }
                number += 1
            }
            counts.withLock { $0.running -= 1 }
        }
    }

    var done: Int { counts.withLock { $0.done } }

    func end() throws -> ConnectionLoad.Counts {
        counts.withLock { $0.isOver = true }
        try wait { counts.withLock { $0.running } == 0 }
        return counts.withLock { $0 }
    }
}

/// A datagram socket of the system's own that knows one peer.
// Its one property never changes, and the system's calls may be made from any thread.
final class DatagramClient: Sendable {
    private let descriptor: Int32

    init(port: Int) throws {
        #if canImport(Darwin)
        descriptor = socket(AF_INET, SOCK_DGRAM, 0)
        #else
        descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        #endif
        let result = unsafe withLoopbackAddress(port: port) { unsafe connect(descriptor, $0, $1) }
        guard result == 0 else { throw ChildProcess.Failure("couldn't connect: errno \(errno)") }
        var patience = timeval(tv_sec: 10, tv_usec: 0)
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(descriptor) }

    func send(_ text: String) {
        let bytes = Array(text.utf8)
        _ = unsafe write(descriptor, bytes, bytes.count)
    }

    func next() -> String? {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = unsafe read(descriptor, &buffer, buffer.count)
        return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : nil
    }

    func ask(_ text: String) -> String? {
        send(text)
        return next()
    }
}

#if os(Linux)
/// What the system says of its sockets.
enum SystemSockets {
    /// How many there are that listen at a port of this machine's own address; of `udp`, all that are bound there.
    static func count(in table: String, at port: Int) -> Int {
        // Read to its end: the system does not say beforehand how long the list is, and gives a page of it at a time.
        let file = unsafe open("/proc/net/\(table)", O_RDONLY | O_CLOEXEC)
        defer { close(file) }
        var (text, buffer) = ("", [UInt8](repeating: 0, count: 1 << 16))
        while case let count = unsafe read(file, &buffer, buffer.count), count > 0 {
            text += String(decoding: buffer[..<count], as: UTF8.self)
        }
        let lines = text.split(separator: "\n")
        let digits = String(port, radix: 16, uppercase: true)
        let place = "0100007F:" + String(repeating: "0", count: 4 - digits.count) + digits
        // The second field is the address, the fourth the state: 0A for one that listens, 07 for one without a peer.
        let state = table == "udp" ? "07" : "0A"
        return lines.map { $0.split(separator: " ") }.count { $0.count > 3 && $0[1] == place && $0[3] == state }
    }
}
#endif
