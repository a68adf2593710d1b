import Foundation
import Synchronization
import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

/// Connections that tasks serve, over real sockets.
@Suite("Connections for tasks", .nothingLivesOn)
struct ConnectionTests {
    /// Listens with a handler, lets a raw client talk to it, and stops; what the reactor has logged.
    @discardableResult
    private func serve(
        _ endpoint: String = "tcp:127.0.0.1:0", _ handler: @escaping @Sendable (Connection) async throws -> Void,
        client: @escaping @Sendable (RawSocket) throws -> Void
    ) throws -> [String] {
        let log = RecordedLog()
        try withReactor(log: log) { reactor in
            let port = try reactor.listen(endpoint, handler: handler).port.number
            reactor.runClient {
                let socket = try RawSocket(connectedTo: port)
                defer { socket.close() }
                try client(socket)
            }
        }
        return log.entries
    }

    @Test func linesAreReadAndWritten() throws {
        try serve { connection in
            for try await line in connection.lines { try await connection.writeLine("<\(line)>") }
            try await connection.write("end")
        } client: { client in
            try client.send("one\r\ntwo\r\n\r\nth")
            try #require(client.receiveText(14) == "<one>\r\n<two>\r\n")
            try client.send("ree\r\nrest")
            client.shutdownWriting()
            try #require(String(decoding: client.receiveToEnd(), as: UTF8.self) == "<>\r\n<three>\r\nend")
        }
    }

    @Test func chunksAreReadAndWritten() throws {
        let bytes = (0..<1_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 8) }
        try serve { connection in
            for try await chunk in connection.chunks { try await connection.write(chunk) }
        } client: { client in
            let sender = Thread {
                try? client.send(bytes)
                client.shutdownWriting()
            }
            sender.start()
            try #require(client.receiveToEnd() == bytes)
        }
    }

    @Test func framesOfEveryKindAreReadAndWritten() throws {
        try serve { connection in
            let first = try await connection.netstrings.next()
            try await connection.writeNetstring(first ?? [])
            // Another framing goes on with the next byte, where the first has looked ahead already.
            let packets = connection.frames(of: FixedSizeFramer(size: 3))
            for try await packet in packets {
                if packet == Array("lin".utf8) { break }
                try await packets.write(Array(packet.reversed()))
            }
            for try await line in connection.byteLines(delimiter: .lf) {
                if line.isEmpty { break }
                try await connection.write(line + [UInt8(ascii: ".")])
            }
            try await connection.forEachLine { line in connection.transport.write(String(repairing: line).uppercased()) }
        } client: { client in
            try client.send("5:hello,abcdeflin" + "one\ntwo\n\nupper\r\ncase\r\npart")
            client.shutdownWriting()
            try #require(String(decoding: client.receiveToEnd(), as: UTF8.self) == "5:hello,cbafedone.two.UPPERCASE")
        }
    }

    @Test func unfinishedFramesAreLeftToTheNextReader() throws {
        let unread = Mutex("")
        try serve { connection in
            _ = try await connection.lines.next()
            // The rest was looked at in vain.
            let second = try await connection.lines.next()
            #expect(second == nil)
            unread.withLock { $0 = String(decoding: connection.unreadBytes, as: UTF8.self) }
            let rest = try await connection.readChunk()
            #expect(rest == Array("unfinished".utf8))
            #expect(try await connection.readChunk() == nil)
        } client: { client in
            try client.send("line\r\nunfinished")
            client.shutdownWriting()
            try #require(client.receiveToEnd() == [])
        }
        #expect(unread.withLock { $0 } == "unfinished")
    }

    @Test func leavingTheHandlerSendsEverythingAndCloses() throws {
        try serve { connection in
            connection.transport.write([UInt8](repeating: 0x2E, count: 3 << 20))
        } client: { client in
            try #require(client.receiveToEnd().count == 3 << 20)
        }
    }

    @Test func whatTheHandlerThrowsIsTheReasonAndIsLogged() throws {
        struct Refusal: Error {}
        let reason = Mutex<ConnectionLost?>(nil)
        let log = try serve { connection in
            let intake = connection.intake
            intake.whenLost = { reason.withLock { $0 = intake.reason } }
            try await connection.write("before")
            throw Refusal()
        } client: { client in
            try #require(String(decoding: client.receiveToEnd(), as: UTF8.self) == "before")
        }
        #expect(reason.withLock { $0 }?.underlying is Refusal)
        #expect(log.count == 1 && log[0].contains("Connection.handler threw") && log[0].contains("Refusal"), "\(log)")
    }

    @Test func inputThatBreaksTheRulesIsThrown() throws {
        let caught = Mutex<(any Error)?>(nil)
        let log = try serve { connection in
            do {
                for try await _ in connection.lines(lengthMax: 5) {}
            } catch {
                caught.withLock { $0 = error }
                throw error
            }
        } client: { client in
            try client.send("four\r\ntoo long\r\n")
            try #require(client.receiveToEnd() == [])
        }
        #expect((caught.withLock { $0 } as? Rejection)?.reason == .lineTooLong(lengthMax: 5))
        #expect(log.isEmpty, "a log of it would be the peer's to fill")
    }

    @Test func aBreakIsThrownToWhoReadsAndWhoWrites() throws {
        let caught = Mutex<[ConnectionLost]>([])
        let ended = DispatchSemaphore(value: 0)
        let log = try serve { connection in
            defer { ended.signal() }
            do {
                for try await _ in connection.chunks {}
            } catch let error as ConnectionLost {
                caught.withLock { $0.append(error) }
            }
            do {
                try await connection.write("too late")
            } catch let error as ConnectionLost {
                caught.withLock { $0.append(error) }
                throw error
            }
        } client: { client in
            try client.send("x")
            client.reset()
            try #require(ended.wait(timeout: .now() + 20) == .success)
        }
        #expect(caught.withLock { $0 }.map { $0 == .lost } == [true, true])
        #expect(log.isEmpty)
    }

    @Test func whoWritesMoreThanThePeerTakesWaits() throws {
        let most = Mutex(0)
        try serve { connection in
            let block = [UInt8](repeating: 0x2E, count: 10_000)
            for _ in 0..<2000 {
                try await connection.write(block)
                most.withLock { $0 = max($0, connection.transport.bufferedByteCount) }
            }
        } client: { client in
            pauseThread(.milliseconds(100))
            try #require(client.receiveToEnd().count == 20_000_000)
        }
        #expect(most.withLock { $0 } <= 64 << 10 + 10_000)
    }

    @Test func whatNobodyReadsStaysWithThePeer() throws {
        let held = Mutex(0)
        let read = Mutex(0)
        try serve { connection in
            // Input comes while nobody asks for it.
            while connection.unreadBytes.count <= 64 << 10 { try await connection.reactor.sleep(for: .milliseconds(1)) }
            try await connection.reactor.sleep(for: .milliseconds(50))
            held.withLock { $0 = connection.unreadBytes.count }
            for try await chunk in connection.chunks { read.withLock { $0 += chunk.count } }
        } client: { client in
            try client.send([UInt8](repeating: 0x2E, count: 8 << 20))
            client.shutdownWriting()
            try #require(client.receiveToEnd() == [])
        }
        #expect(held.withLock { $0 } <= 320 << 10)
        #expect(read.withLock { $0 } == 8 << 20)
    }

    @Test func onlyOneTaskReads() throws {
        try serve { connection in
            let bound = ReactorBound(connection)
            let second = Task(executorPreference: connection.intake.handle) { try await bound.value.lines.next() }
            // The second one waits by now.
            await Task.yield()
            await #expect(throws: ConnectionError.alreadyReading) { try await connection.lines.next() }
            try await connection.writeLine("go on")
            #expect(try await second.value == "hello")
        } client: { client in
            try #require(client.receiveText(7) == "go on\r\n")
            try client.send("hello\r\n")
            try #require(client.receiveToEnd() == [])
        }
    }

    @Test func clientsConnectAndTalk() throws {
        let heard = Mutex<[String]>([])
        try withReactor { reactor in
            let server = try reactor.listen("tcp:127.0.0.1:0") { connection in
                for try await line in connection.lines { try await connection.writeLine(line.uppercased()) }
            }
            let port = server.port.number
            reactor.task { reactor in
                let connection = try await reactor.connect("tcp:127.0.0.1:\(port)")
                #expect(connection.peer.port.map(Int.init) == port)
                try await connection.writeLine("hello")
                try await connection.writeLine("you")
                connection.closeWrite()
                for try await line in connection.lines { heard.withLock { $0.append(line) } }
                #expect(try await connection.waitForEnd() == .done)
                reactor.stop()
            }
        }
        #expect(heard.withLock { $0 } == ["HELLO", "YOU"])
    }

    @Test func connectingFailsAsItDoesElsewhere() throws {
        let (listener, number) = try RawSocket.listener(backlog: 1)
        listener.close()
        let errors = Mutex<[any Error]>([])
        try withReactor { reactor in
            reactor.task { reactor in
                for endpoint in ["tcp:127.0.0.1:\(number)", "nope:1"] {
                    do {
                        _ = try await reactor.connect(endpoint)
                    } catch {
                        errors.withLock { $0.append(error) }
                    }
                }
                reactor.stop()
            }
        }
        let caught = errors.withLock { $0 }
        #expect(caught.first as? ConnectError == .refused)
        #expect(caught.last is EndpointError)
    }

    @Test func aConnectionThatNobodyHoldsCloses() throws {
        try withReactor { reactor in
            let (listener, number) = try RawSocket.listener(backlog: 1)
            reactor.task { reactor in
                do {
                    let connection = try await reactor.connect("tcp:127.0.0.1:\(number)")
                    connection.transport.write("bye")
                }
            }
            reactor.runClient {
                let peer = try listener.accept()
                try #require(String(decoding: peer.receiveToEnd(), as: UTF8.self) == "bye")
                peer.close()
                listener.close()
            }
        }
    }

    @Test func aReaderThatNeverCatchesUpKeepsOnlyWhatItHasNotRead() throws {
        let reactor = try LibeventReactor(logger: RecordedLog().logger)
        let intake = ConnectionIntake(reactor.handle) { _ in }
        var expected: UInt8 = 0
        for round in 0..<10_000 {
            let piece = (0..<100).map { UInt8(truncatingIfNeeded: round * 100 + $0) }
            intake.dataReceived(piece.span)
            // All but one byte, which is in front of the next ones.
            intake.read { unread, position in
                while position < unread.count - 1 {
                    if unread[position] != expected { Issue.record("got \(unread[position]) for \(expected) in round \(round)") }
                    expected &+= 1
                    position += 1
                }
            }
        }
        #expect(intake.capacity < 1_000)
    }
}
