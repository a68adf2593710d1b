// What is below a protocol? This client makes its own sockets and has the reactor watch their descriptors: no transport, no factory.
//
//     swift run PoetryServer poem.txt 10000
//     swift run PoetryDescriptors 10000 10001

import Foundation
import Twill

final class PoemSocket {
    private let descriptor: Int32
    private let task: Int
    private var poem: [UInt8] = []
    private var watch: (any DescriptorWatch)?

    /// Connects, and waits for that: a real client would not.
    init?(task: Int, port: UInt16) {
        self.task = task
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        // A sockaddr_in is what the system calls a sockaddr.
        let status = withUnsafePointer(to: &address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, size) }
        }
        guard status == 0, fcntl(descriptor, F_SETFL, O_NONBLOCK) == 0 else { return nil }
    }

    /// Reads on each turn on which there is something to read.
    func read(on reactor: any Reactor, atEnd: @escaping () -> Void) throws {
        watch = try reactor.watch(descriptor, for: .readable) { [unowned self] _ in
            var buffer = [UInt8](repeating: 0, count: 1024)
            // The buffer is as long as the call is told.
            let count = recv(descriptor, &buffer, buffer.count, 0)
            if count > 0 {
                print("Task \(task): got \(count) bytes of poetry")
                return poem.append(contentsOf: buffer[..<count])
            }
            if count < 0, errno == EAGAIN { return }
            print("Task \(task): \(poem.count) bytes of poetry")
            // Before the descriptor closes: its number may be somebody else's right after.
            watch?.cancel()
            close(descriptor)
            atEnd()
        }
    }
}

let ports = CommandLine.arguments.dropFirst().compactMap { UInt16($0) }
let reactor = try LibeventReactor()
let sockets = ports.enumerated().compactMap { PoemSocket(task: $0.offset + 1, port: $0.element) }
var left = sockets.count
for socket in sockets {
    try socket.read(on: reactor) {
        left -= 1
        if left == 0 { reactor.stop() }
    }
}
if left > 0 { try reactor.run() }
