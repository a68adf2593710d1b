import Foundation
import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

/// Files sent over a connection. F1 to F6 are rows of the catalogue of cases.
@Suite("FileSender", .nothingLivesOn)
struct FileSenderTests {
    private struct Failure: Error, Equatable {}

    /// A transport that keeps what is written, and asks its producer when the test says so.
    private final class AskingTransport: Transport {
        private(set) var written: [[UInt8]] = []
        private(set) var producer: (any Producer)?
        private(set) var isStreaming = false

        override func write(_ data: Span<UInt8>) { written.append(Array(copying: data)) }

        override func registerProducer(_ producer: any Producer, streaming: Bool) {
            self.producer = producer
            isStreaming = streaming
        }

        override func unregisterProducer() { producer = nil }

        /// Asks until the producer has unregistered; how many times that was.
        func askToEnd() throws -> Int {
            var count = 0
            while let producer, count < 1_000 {
                count += 1
                try producer.resumeProducing()
            }
            return count
        }
    }

    /// A source of a test's own: so many bytes, each the low eight bits of its place, and then the end or an error.
    private final class Bytes: ByteSource {
        private let size: Int
        private let failure: (any Error)?
        private var place = 0

        init(_ size: Int, then failure: (any Error)? = nil) {
            self.size = size
            self.failure = failure
        }

        func read(upTo count: Int) throws -> [UInt8] {
            let piece = (place..<min(place + count, size)).map { UInt8(truncatingIfNeeded: $0) }
            place += piece.count
            if piece.isEmpty, let failure { throw failure }
            return piece
        }
    }

    /// A file that is there as long as this object.
    private final class TemporaryFile: Sendable {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("twill-\(UUID().uuidString)").path

        init(_ pieces: [[UInt8]]) throws {
            guard FileManager.default.createFile(atPath: path, contents: nil), let file = FileHandle(forWritingAtPath: path) else {
                throw CallFailure("open")
            }
            for piece in pieces { try file.write(contentsOf: Data(piece)) }
            try file.close()
        }

        deinit { try? FileManager.default.removeItem(atPath: path) }

        #if os(Linux)
        /// The descriptors of this process under which the file is open.
        var descriptors: [CInt] {
            let folder = "/proc/self/fd"
            let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
            return names.filter { (try? FileManager.default.destinationOfSymbolicLink(atPath: "\(folder)/\($0)")) == path }.compactMap {
                CInt($0)
            }
        }
        #endif
    }

    /// What a transfer came to, once it has.
    private func outcome<Value>(of deferred: Deferred<Value>) -> () -> Result<Value, any Error>? {
        var outcome: Result<Value, any Error>?
        deferred.addBoth { outcome = $0 }
        return { outcome }
    }

    /// Runs a transfer to its end on a transport of the test's.
    private func run(
        _ source: some ByteSource, transform: @escaping FileSender.Transform = { $0 }
    ) throws -> (resumes: Int, written: [[UInt8]], result: Result<UInt8?, any Error>) {
        let transport = AskingTransport()
        let outcome = outcome(of: try FileSender.beginFileTransfer(source, to: transport, transform: transform))
        #expect(!transport.isStreaming)
        let resumes = try transport.askToEnd()
        #expect(transport.producer == nil, "it has unregistered")
        return (resumes, transport.written, try #require(outcome()))
    }

    @Test(
        "F1, F2, F3: the end is seen by a read that returns nothing",
        arguments: [(0, 1), (1, 2), (16_383, 2), (16_384, 2), (16_385, 3), (49_152, 4)])
    func theEndIsSeenByAReadThatReturnsNothing(size: Int, resumes: Int) throws {
        let transfer = try run(Bytes(size))
        #expect(transfer.resumes == resumes)
        #expect(Array(transfer.written.joined()) == (0..<size).map { UInt8(truncatingIfNeeded: $0) })
        #expect(transfer.written.dropLast().allSatisfy { $0.count == 16_384 })
        #expect(try transfer.result.get() == (size == 0 ? nil : UInt8(truncatingIfNeeded: size - 1)))
    }

    @Test("F4: a transform changes each chunk, the last byte too") func aTransformChangesEachChunk() throws {
        var sizes: [Int] = []
        let transfer = try run(Bytes(20_000)) { chunk in
            sizes.append(chunk.count)
            return chunk.map { $0 ^ 0xFF } + [UInt8(sizes.count)]
        }
        #expect(sizes == [16_384, 3_616])
        #expect(transfer.written.map(\.count) == [16_385, 3_617])
        #expect(transfer.written[0].prefix(3) == [0xFF, 0xFE, 0xFD])
        #expect(try transfer.result.get() == 2)
    }

    @Test func aTransformMayLeaveAChunkOut() throws {
        var count = 0
        let transfer = try run(Bytes(50_000)) { chunk in
            count += 1
            return count.isMultiple(of: 2) ? [7] : []
        }
        #expect(transfer.resumes == 3)
        #expect(transfer.written == [[7], [7]])
        #expect(try transfer.result.get() == 7)
    }

    @Test("F5: a connection that ends before fails the transfer") func aConnectionThatEndsBeforeFailsTheTransfer() throws {
        let transport = AskingTransport()
        weak var gone: Bytes?
        let outcome: () -> Result<UInt8?, any Error>?
        do {
            let source = Bytes(100_000)
            gone = source
            outcome = self.outcome(of: try FileSender.beginFileTransfer(source, to: transport))
        }
        let producer = try #require(transport.producer)
        try producer.resumeProducing()
        try producer.resumeProducing()
        #expect(gone != nil)
        try producer.stopProducing()
        #expect(gone == nil, "the source is let go, although the producer lives")
        // As every transport does after the stop.
        transport.unregisterProducer()
        let result = try #require(outcome())
        #expect(throws: FileSenderError.connectionEnded(sentBytes: 32_768)) { try result.get() }
        // Nothing happens on a call too much.
        try producer.stopProducing()
        try producer.resumeProducing()
        #expect(transport.written.count == 2)
        #expect(FileSenderError.connectionEnded(sentBytes: 5).description.hasPrefix("the connection ended before"))
    }

    @Test("F6: a read that fails fails the transfer, and the producer unregisters") func aReadThatFailsFailsTheTransfer() throws {
        let transfer = try run(Bytes(20_000, then: Failure()))
        #expect(transfer.resumes == 3)
        #expect(transfer.written.joined().count == 20_000)
        #expect(throws: Failure()) { try transfer.result.get() }
    }

    @Test func aTransformThatThrowsFailsTheTransfer() throws {
        let transfer = try run(Bytes(20_000)) { _ in throw Failure() }
        #expect(transfer.written == [])
        #expect(throws: Failure()) { try transfer.result.get() }
    }

    @Test func aClosedConnectionTakesNoTransfer() throws {
        let outcome = outcome(of: try FileSender.beginFileTransfer(Bytes(10), to: Transport()))
        let result = try #require(outcome())
        #expect(throws: FileSenderError.connectionEnded(sentBytes: 0)) { try result.get() }
    }

    /// Lets a server do something with its transport when it is connected; what its client gets.
    private func output(of work: @escaping (Transport) throws -> Void, log: RecordedLog = RecordedLog()) throws -> [UInt8] {
        let received = Shared<[UInt8]>([])
        try withReactor(log: log) { reactor in
            let server = Recorder()
            server.whenMade = { try work($0.transport) }
            let port = try reactor.listenTCP(port: 0, factory: OneConnectionFactory(server), interface: "127.0.0.1").number
            reactor.runClient { received.value = try RawSocket(connectedTo: port).receiveToEnd() }
        }
        return received.value
    }

    private static let hundredBytes = (0..<100).map { UInt8($0) }

    @Test(
        arguments: [
            (0, nil, 0..<100), (0, 100, 0..<100), (0, 1_000, 0..<100), (0, 0, 0..<0), (40, nil, 40..<100), (40, 20, 40..<60),
            (99, 1, 99..<100),
            (100, nil, 0..<0), (1_000, 5, 0..<0), (.max, .max, 0..<0),
        ] as [(Int64, Int64?, Range<Int>)])
    func aPartOfAFileIsSent(offset: Int64, count: Int64?, part: Range<Int>) throws {
        let file = try TemporaryFile([Self.hundredBytes])
        var sent: Int64?
        let received = try output { transport in
            try transport.sendFile(file.path, from: offset, count: count).addCallback { sent = $0 }
            transport.loseConnection()
        }
        #expect(received == Array(Self.hundredBytes[part]))
        #expect(sent == Int64(part.count))
    }

    @Test func filesFollowOneAnotherAndWhatWasWritten() throws {
        let file = try TemporaryFile([Self.hundredBytes])
        let received = try output { transport in
            transport.write("before ")
            try transport.sendFile(file.path).addCallback { _ in
                transport.write(" between ")
                try transport.sendFile(file.path).addCallback { _ in
                    transport.write(" after")
                    transport.loseConnection()
                }
            }
        }
        let expected = Array("before ".utf8) + Self.hundredBytes + Array(" between ".utf8) + Self.hundredBytes + Array(" after".utf8)
        #expect(received == expected)
    }

    @Test func twoFilesAtOnceAreRefused() throws {
        let file = try TemporaryFile([Self.hundredBytes])
        let received = try output { transport in
            try transport.sendFile(file.path).addCallback { _ in transport.loseConnection() }
            #expect(throws: ProducerError.alreadyRegistered) { _ = try transport.sendFile(file.path) }
        }
        #expect(received == Self.hundredBytes)
    }

    @Test func whatCanNotBeOpenedIsNamed() throws {
        func message(_ path: String, from offset: Int64 = 0, count: Int64? = nil) throws -> String {
            let error = #expect(throws: FileError.self) { _ = try Transport().sendFile(path, from: offset, count: count) }
            return try #require(error).description
        }
        #expect(try message("/no/such/file") == "Couldn't open /no/such/file: no such file or directory (open, errno \(ENOENT))")
        #expect(try message("/").hasPrefix("Couldn't open /: only regular files"))
        #expect(try message("/dev/null").hasPrefix("Couldn't open /dev/null: only regular files"))
        #expect(try message("").contains("no such file"))
        #expect(try message("/etc/passwd\0.txt").contains("invalid argument"))
        #expect(try message("/f", from: -1) == "Couldn't read /f from -1: neither number may be negative")
        #expect(try message("/f", from: 3, count: -2) == "Couldn't read /f from 3 for -2 bytes: neither number may be negative")
        // Opening a pipe would wait for a writer.
        let pipe = FileManager.default.temporaryDirectory.appendingPathComponent("twill-\(UUID().uuidString)").path
        let status = unsafe mkfifo(pipe, 0o600)
        #expect(status == 0)
        defer { unsafe unlink(pipe) }
        #expect(try message(pipe).contains("only regular files"))
    }

    #if os(Linux)
    // The first page of every process can't be read.
    @Test("F6: on a real connection, which stays open") func theConnectionStaysOpenAfterAReadThatFails() throws {
        var failure: (any Error)?
        let log = RecordedLog()
        let received = try output(
            of: { transport in
                transport.write("before ")
                try transport.sendFile("/proc/self/mem").addErrback { error in
                    failure = error
                    transport.write("after")
                    transport.loseConnection()
                    return 0
                }
            }, log: log)
        #expect(String(decoding: received, as: UTF8.self) == "before after")
        #expect(failure.map { "\($0)" } == "Couldn't read /proc/self/mem: input/output error (pread, errno \(EIO))")
        #expect(log.count(containing: "threw") == 0 && log.count(containing: "Unhandled") == 0)
    }

    @Test func theFileIsClosedAtTheEndAndOnExec() throws {
        let file = try TemporaryFile([Self.hundredBytes])
        let source = try FileSource(path: file.path)
        let descriptors = file.descriptors
        #expect(descriptors.count == 1)
        #expect(descriptors.allSatisfy { fcntl($0, F_GETFD) & FD_CLOEXEC != 0 })
        #expect(try source.read(upTo: 60).count == 60)
        #expect(try source.read(upTo: 60).count == 40)
        #expect(file.descriptors.count == 1)
        #expect(try source.read(upTo: 60) == [])
        #expect(file.descriptors == [])
        #expect(try source.read(upTo: 60) == [])
        #expect(source.readBytes == 100)
    }

    @Test func theFileIsClosedWhenThePeerVanishes() throws {
        let file = try TemporaryFile([[UInt8](repeating: 1, count: 16 << 20)])
        var result: Result<Int64, any Error>?
        var openMeanwhile = 0
        try withReactor { reactor in
            let server = Recorder()
            server.whenMade = { server in
                let sending = try server.transport.sendFile(file.path)
                openMeanwhile = file.descriptors.count
                sending.addBoth {
                    #expect(server.reason == nil, "the transfer ends before the protocol is told")
                    result = $0
                }
            }
            server.whenLost = { _, _ in reactor.stop() }
            let port = try reactor.listenTCP(port: 0, factory: OneConnectionFactory(server), interface: "127.0.0.1").number
            reactor.inBackground {
                let client = try RawSocket(connectedTo: port)
                _ = try client.receive(exactly: 100_000)
                client.reset()
            }
        }
        #expect(openMeanwhile == 1)
        #expect(file.descriptors == [])
        let error = #expect(throws: FileSenderError.self) { try result?.get() }
        guard case .connectionEnded(let sentBytes) = error else { return }
        #expect(sentBytes >= 100_000 && sentBytes < 16 << 20)
    }
    #endif

    @Test func aLargeFileGoesToASlowReaderInBoundedMemoryWhileOthersAreServed() throws {
        let size = 64 << 20
        // A length that no buffer's size is a multiple of, so that a piece at a wrong place shows.
        let period = (0..<65_521).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 8) }
        let file = try TemporaryFile(Array(repeating: period, count: size / period.count + 1))
        var sent: Int64?
        var mostUnsent = 0
        let answers = Counter()
        try withReactor(deadline: .seconds(60)) { reactor in
            let sender = Recorder()
            sender.whenMade = { server in
                try server.transport.sendFile(file.path, count: Int64(size)).addCallback { sent = $0 }
                server.transport.loseConnection()
            }
            // So that the system can't take the whole file in.
            var options = TransportOptions()
            options.sendBufferBytes = 64 << 10
            let files = try reactor.listenTCP(port: 0, factory: OneConnectionFactory(sender), interface: "127.0.0.1", options: options)
                .number
            let echo = Factory { () -> Recorder in
                let echo = Recorder()
                echo.whenData = { echo in
                    mostUnsent = max(mostUnsent, sender.transport.bufferedByteCount)
                    echo.transport.write("pong")
                }
                return echo
            }
            let other = try reactor.listenTCP(port: 0, factory: echo, interface: "127.0.0.1").number
            reactor.runClient {
                let reader = try RawSocket(connectedTo: files, receiveBufferBytes: 256 << 10)
                let bystander = try RawSocket(connectedTo: other)
                let twice = period + period
                var received = 0
                while true {
                    let piece = try reader.receive(atMost: period.count)
                    if piece.isEmpty { break }
                    let place = received % period.count
                    let difference = unsafe twice.withUnsafeBytes { bytes in
                        unsafe bytes.baseAddress.map { unsafe memcmp(piece, $0 + place, piece.count) }
                    }
                    try #require(difference == 0, "at \(received)")
                    let megabytes = received >> 20
                    received += piece.count
                    if received >> 20 > megabytes {
                        // It reads no more until somebody else was answered, so the file can't be through.
                        try bystander.send("ping")
                        try #require(try bystander.receiveText(4) == "pong")
                        answers.add()
                    }
                }
                try #require(received == size)
            }
        }
        #expect(sent == Int64(size))
        #expect(answers.value == 64)
        #expect(mostUnsent > 0, "the reader was not slower than the disk")
        #expect(mostUnsent <= WaterMarks().high + 64 << 10, "\(mostUnsent) bytes waited")
    }
}
