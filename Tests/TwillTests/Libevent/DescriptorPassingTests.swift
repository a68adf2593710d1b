import ChildProcess
import Synchronization
import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

@Suite("Passing descriptors", .nothingLivesOn)
struct DescriptorPassingTests {
    /// A recorder that takes descriptors, and notes at which byte they came.
    private final class Taker: Recorder, DescriptorReceiver {
        private(set) var taken: [CInt] = []
        private(set) var offsets: [Int] = []
        var whenTaken: ((Taker) throws -> Void)?

        func descriptorReceived(_ descriptor: CInt) throws {
            taken.append(descriptor)
            offsets.append(received.count)
            try whenTaken?(self)
        }

        /// Whether each descriptor came just before the piece of input that has the byte it was sent with, as the system delivers them: what was
        /// sent before that byte may be in the same piece.
        func came(with bytes: [Int]) -> Bool {
            offsets.count == bytes.count
                && zip(offsets, bytes).allSatisfy { offset, byte in
                    var end = 0
                    for size in pieces where end <= offset { end += size }
                    return offset <= byte && byte < end
                }
        }

        func closeTaken() {
            for descriptor in taken { systemClose(descriptor) }
            taken = []
            whenTaken = nil
        }
    }

    /// A pipe: who reads its end knows that all copies of the writing end are closed.
    private struct Pipe {
        private let ends: DescriptorPipe
        var reading: CInt { ends.reading }
        var writing: CInt { ends.writing }

        init() throws {
            ends = try DescriptorPipe()
        }

        /// What was written into it and not read yet; nil where there is nothing and its writers are gone.
        ///
        /// It waits for either: a child that another test starts at this moment has copies of all descriptors until it becomes another program.
        func read() -> String? {
            var poll = pollfd(fd: reading, events: Int16(POLLIN), revents: 0)
            guard unsafe systemPoll(&poll, 1, 10_000) == 1 else { return "" }
            var bytes = [UInt8](repeating: 0, count: 64)
            let count = unsafe bytes.withUnsafeMutableBytes { unsafe systemRead(reading, $0) }
            return count == 0 ? nil : String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
        }

        static func write(_ text: String, to descriptor: CInt) {
            _ = unsafe Array(text.utf8).withUnsafeBytes { unsafe systemWrite(descriptor, $0) }
        }
    }

    /// Serves one end of a pair with a recorder, and lends the other one.
    private func serve(
        _ recorder: Recorder, wrappedBy wrap: (Factory) -> Factory = { $0 }, near configure: (RawSocket) throws -> Void = { _ in },
        _ body: @escaping (LibeventReactor, RawSocket) throws -> Void
    ) throws {
        let (near, far) = try socketPair()
        try configure(near)
        defer { far.close() }
        try withReactor { reactor in
            try reactor.adoptStreamConnection(near.giveAway(), factory: wrap(OneConnectionFactory(recorder)))
            reactor.callWhenRunning { try body(reactor, far) }
        }
    }

    /// Sends bytes and descriptors from a raw socket.
    private func send(_ text: String, passing descriptors: [CInt], over socket: RawSocket) throws {
        let count = unsafe Array(text.utf8).withUnsafeBytes { unsafe Socket(descriptor: socket.descriptor).send($0, passing: descriptors) }
        guard count == text.utf8.count else { throw CallFailure("sendmsg") }
    }

    @Test func descriptorsComeInOrderBeforeTheirBytesAndWork() throws {
        let pipes = [try Pipe(), try Pipe(), try Pipe()]
        let taker = Taker()
        try serve(taker) { reactor, far in
            try far.send("plain ")
            try self.send("two", passing: [pipes[0].writing, pipes[1].writing], over: far)
            try self.send("one", passing: [pipes[2].writing], over: far)
            for pipe in pipes { systemClose(pipe.writing) }
            reactor.when {
                taker.received.count == 12
            } then: {
                for (number, descriptor) in taker.taken.enumerated() {
                    #expect(fcntl(descriptor, F_GETFD) & FD_CLOEXEC != 0)
                    Pipe.write("\(number)", to: descriptor)
                }
                taker.closeTaken()
                far.close()
            }
            taker.whenLost = { _, _ in reactor.stop() }
        }
        #expect(taker.text == "plain twoone")
        #expect(taker.came(with: [6, 6, 9]))
        for (number, pipe) in pipes.enumerated() {
            #expect(pipe.read() == "\(number)")
            #expect(pipe.read() == nil)
            systemClose(pipe.reading)
        }
    }

    @Test("U04: descriptors for a protocol that takes none never stay open") func nobodyTakesThem() throws {
        let pipe = try Pipe()
        let recorder = Recorder()
        try serve(recorder) { reactor, far in
            try self.send("bytes", passing: [pipe.writing], over: far)
            systemClose(pipe.writing)
            reactor.when {
                recorder.text == "bytes"
            } then: {
                #expect(pipe.read() == nil)
                reactor.stop()
            }
        }
        systemClose(pipe.reading)
    }

    @Test func descriptorsAreSentInOrderAndTheSendersMayBeClosedAtOnce() throws {
        let pipe = try Pipe()
        let server = Recorder()
        let (near, far) = try socketPair()
        let taker = Taker()
        try withReactor { reactor in
            server.whenMade = { server in
                server.transport.write("before ")
                try server.transport.write(Array("with ".utf8).span, passing: [pipe.writing])
                server.transport.write("behind")
                systemClose(pipe.writing)
                server.transport.loseConnection()
            }
            taker.whenLost = { taker, _ in
                Pipe.write("hello", to: (taker as? Taker)?.taken[0] ?? -1)
                reactor.stop()
            }
            try reactor.adoptStreamConnection(far.giveAway(), factory: OneConnectionFactory(taker))
            try reactor.adoptStreamConnection(near.giveAway(), factory: OneConnectionFactory(server))
        }
        #expect(taker.text == "before with behind")
        #expect(taker.came(with: [7]))
        #expect(pipe.read() == "hello")
        taker.closeTaken()
        #expect(pipe.read() == nil)
        #expect(server.reason == .done && taker.reason == .done)
        systemClose(pipe.reading)
    }

    @Test func descriptorsKeepTheirPlaceBehindBytesThatWait() throws {
        let pipe = try Pipe()
        let server = Recorder()
        let (near, far) = try socketPair()
        let taker = Taker()
        let block = [UInt8](repeating: 0x2E, count: 1 << 20)
        try withReactor { reactor in
            taker.whenLost = { _, _ in reactor.stop() }
            taker.whenTaken = { if $0.taken.count == 1 { $0.transport.pauseProducing() } }
            try reactor.adoptStreamConnection(far.giveAway(), factory: OneConnectionFactory(taker))
            try reactor.adoptStreamConnection(near.giveAway(), factory: OneConnectionFactory(server))
            reactor.callWhenRunning {
                server.transport.write(block)
                try server.transport.write(Array("one".utf8).span, passing: [pipe.writing])
                server.transport.write(SharedBytes(block))
                try server.transport.write(block.span, passing: [pipe.writing, pipe.writing])
                server.transport.write("end")
                #expect(server.transport.bufferedByteCount > 1 << 20)
                systemClose(pipe.writing)
                server.transport.loseConnection()
            }
            // The second ones wait in the system and here while the first is not read on.
            reactor.when {
                taker.taken.count == 1
            } then: {
                reactor.afterTurns(5) {
                    #expect(taker.taken.count == 1)
                    taker.transport.resumeProducing()
                }
            }
        }
        #expect(taker.received.count == 3 << 20 + 6)
        #expect(taker.received == block + Array("one".utf8) + block + block + Array("end".utf8))
        #expect(taker.came(with: [1 << 20, 2 << 20 + 3, 2 << 20 + 3]))
        taker.closeTaken()
        #expect(pipe.read() == nil)
        systemClose(pipe.reading)
    }

    @Test("U05: more than 64 descriptors that wait pause the producer") func manyDescriptorsPauseTheProducer() throws {
        let pipe = try Pipe()
        let server = Recorder()
        try serve(server) { reactor, _ in
            let transport = server.transport
            let producer = CallRecordingProducer(transport)
            try transport.registerProducer(producer, streaming: true)
            // The socket is full, and a little waits here: far from the high-water mark.
            _ = fill(try #require(transport as? SocketTransport).socket.descriptor)
            transport.write("x")
            for _ in 0..<64 { try transport.write([1].span, passing: [pipe.writing]) }
            #expect(producer.calls.isEmpty)
            try transport.write([1].span, passing: [pipe.writing])
            #expect(producer.calls == [.pause])
            systemClose(pipe.writing)
            transport.abortConnection()
            server.whenLost = { _, _ in reactor.stop() }
        }
        #expect(pipe.read() == nil, "what was dropped is closed")
        systemClose(pipe.reading)
    }

    @Test func whoThrowsClosesTheConnectionAndTheOthersAreClosed() throws {
        struct Refusal: Error {}
        let pipe = try Pipe()
        let taker = Taker()
        taker.whenTaken = { _ in throw Refusal() }
        try serve(taker) { reactor, far in
            taker.whenLost = { _, _ in reactor.stop() }
            try self.send("bytes", passing: [pipe.writing, pipe.writing, pipe.writing], over: far)
            systemClose(pipe.writing)
        }
        #expect(taker.taken.count == 1)
        #expect(taker.received.isEmpty)
        #expect(taker.reason?.underlying is Refusal)
        taker.closeTaken()
        #expect(pipe.read() == nil)
        systemClose(pipe.reading)
    }

    @Test func handingOverDecidesAnewWhoTakesThem() throws {
        let pipe = try Pipe()
        let first = Recorder()
        let taker = Taker()
        first.whenData = { try $0.handOver(to: taker, unread: []) }
        try serve(first, wrappedBy: { TimeoutFactory(wrapping: $0, timeout: .seconds(60)) }) { reactor, far in
            try self.send("first", passing: [pipe.writing], over: far)
            reactor.when {
                first.text == "first"
            } then: {
                try self.send("second", passing: [pipe.writing], over: far)
                systemClose(pipe.writing)
            }
            reactor.when {
                taker.text == "second"
            } then: {
                reactor.stop()
            }
        }
        #expect(taker.taken.count == 1)
        taker.closeTaken()
        #expect(pipe.read() == nil)
        systemClose(pipe.reading)
    }

    #if os(Linux)
    @Test func lostDescriptorsCloseTheConnection() throws {
        let pipe = try Pipe()
        let taker = Taker()
        // The sender's credentials come along and take room from the last descriptors, as a full table would.
        try serve(taker, near: { try $0.set(SOL_SOCKET, SO_PASSCRED, 1) }) { reactor, far in
            taker.whenLost = { _, _ in reactor.stop() }
            try self.send("bytes", passing: Array(repeating: pipe.writing, count: 253), over: far)
            systemClose(pipe.writing)
        }
        #expect(taker.reason == .lost)
        #expect(taker.reason?.errno == EMFILE)
        #expect(taker.received.isEmpty && taker.taken.isEmpty)
        #expect(pipe.read() == nil)
        systemClose(pipe.reading)
    }
    #endif

    @Test func whatCannotBePassedIsRefusedAndTheConnectionGoesOn() throws {
        let server = Recorder()
        try serve(server) { reactor, far in
            let transport = server.transport
            #expect(throws: DescriptorPassingError.noBytes) { try transport.write([UInt8]().span, passing: [0]) }
            #expect(throws: DescriptorPassingError.tooMany(254)) {
                try transport.write([1].span, passing: Array(repeating: 0, count: 254))
            }
            let error = #expect(throws: DescriptorPassingError.self) { try transport.write([1].span, passing: [unusedDescriptor]) }
            #expect(error?.description.hasPrefix("descriptor \(unusedDescriptor) can't be passed: ") == true)
            try transport.write(Array("still here".utf8).span, passing: [])
            reactor.runClient { try #require(far.receiveText(10) == "still here") }
        }
        let client = Recorder()
        try withReactor { reactor in
            let pair = try Pair(reactor, client: client)
            client.whenMade = { client in
                #expect(throws: DescriptorPassingError.notUNIX) { try client.transport.write([1].span, passing: [0]) }
                client.transport.loseConnection()
            }
            withExtendedLifetime(pair) {}
        }
        #expect(throws: DescriptorPassingError.notUNIX) { try Transport().write([1].span, passing: [0]) }
    }

    /// Sends back each descriptor that a client passes, twice, and the bytes.
    private final class Mirror: Twill::Protocol, DescriptorReceiver {
        func descriptorReceived(_ descriptor: CInt) throws {
            try transport.write(Array("twice".utf8).span, passing: [descriptor, descriptor])
            systemClose(descriptor)
        }

        override func dataReceived(_ data: Span<UInt8>) { transport.write(data) }
    }

    @Test(.enabled(if: hasProgram("python3"), "python3 is not installed")) func pythonPassesAndGetsDescriptors() throws {
        let path = temporarySocketPath()
        let program = """
            import os, socket, sys
            s = socket.socket(socket.AF_UNIX)
            s.settimeout(20)
            s.connect(sys.argv[1])
            r, w = os.pipe()
            socket.send_fds(s, [b"!"], [w])
            os.close(w)
            data, fds, flags, _ = socket.recv_fds(s, 100, 10)
            while len(data) < 6: data += s.recv(100)
            for fd in fds:
                os.write(fd, b"x")
                os.close(fd)
            print(data.decode(), len(fds), os.read(r, 10).decode(), os.read(r, 10).decode() == "")
            """
        let output = Mutex("")
        try withReactor { reactor in
            try reactor.listenUNIX(path: path, factory: Factory { Mirror() })
            reactor.runClient {
                let end = try ChildProcess(["python3", "-c", program, path]).waitForEnd()
                output.withLock { $0 = end.output + end.errors }
            }
        }
        #expect(output.withLock { $0 } == "twice! 2 xx True\n")
    }
}
