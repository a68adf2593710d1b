import ChildProcess
import Foundation
import Twill

/// An echo server with a fault, on a thread of the test's process. It stops with the last reference.
final class BadServer {
    /// What it does wrong, once on each connection.
    enum Fault: Sendable {
        /// Changes the byte at this offset of the stream.
        case flip(offset: Int)
        /// Leaves the byte at this offset out.
        case drop(offset: Int)
        /// Sends a byte too much after so many.
        case insert(offset: Int)
        /// Closes after so many bytes.
        case close(offset: Int)
        /// Stops answering after so many bytes.
        case fallSilent(offset: Int)
        /// Does nothing for anybody for so many seconds after so many bytes, and then goes on.
        case standStill(offset: Int, seconds: Double)
    }

    /// An echo that does its fault when the stream comes to the place.
    private final class BadEcho: Protocol {
        private let fault: Fault
        private var received = 0

        init(_ fault: Fault) {
            self.fault = fault
            super.init()
        }

        override func dataReceived(_ data: Span<UInt8>) {
            var reply = data.indices.map { data[$0] }
            let start = received
            received += reply.count
            let index = { (offset: Int) in (start..<start + reply.count).contains(offset) ? offset - start : nil }
            switch fault {
            case .flip(let offset): if let place = index(offset) { reply[place] ^= 0x20 }
            case .drop(let offset): if let place = index(offset) { reply.remove(at: place) }
            case .insert(let offset): if let place = index(offset) { reply.insert(reply[place] ^ 0x20, at: place) }
            case .close(let offset): if received > offset { return transport.loseConnection() }
            case .fallSilent(let offset): if received > offset { return }
            case .standStill(let offset, let seconds): if index(offset) != nil { Thread.sleep(forTimeInterval: seconds) }
            }
            transport.write(reply)
        }
    }

    let port: UInt16
    private let handle: ReactorHandle

    init(_ fault: Fault) throws {
        let started = Started()
        Thread.detachNewThread {
            do {
                let reactor = try LibeventReactor()
                let listener = try reactor.listenTCP(port: 0, factory: Factory { BadEcho(fault) }, interface: "127.0.0.1")
                started.tell(.success((listener.address.port ?? 0, reactor.handle)))
                try reactor.run(installSignalHandlers: false)
            } catch {
                started.tell(.failure(error))
            }
        }
        (port, handle) = try started.wait()
    }

    deinit {
        handle.stop()
    }

    /// Where the server's thread says that it listens.
    private final class Started: @unchecked Sendable {
        private let condition = NSCondition()
        private var result: Result<(UInt16, ReactorHandle), any Error>?

        func tell(_ result: Result<(UInt16, ReactorHandle), any Error>) {
            condition.lock()
            self.result = result
            condition.broadcast()
            condition.unlock()
        }

        func wait() throws -> (UInt16, ReactorHandle) {
            let deadline = Date(timeIntervalSinceNow: ChildProcess.patience)
            condition.lock()
            defer { condition.unlock() }
            while result == nil, condition.wait(until: deadline) {}
            guard let result else { throw ToolProcess.Failure("the bad server did not start") }
            return try result.get()
        }
    }
}
