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

@Suite("UNIX datagram sockets", .nothingLivesOn)
struct UNIXDatagramTests {
    /// Sends a greeting from one socket to an echo, and gives what came back and from whom.
    private func echo(server: String, client: String) throws -> (texts: [String], senders: [Address], host: Address) {
        let recorder = DatagramRecorder()
        recorder.whenTold = { recorder, event in if event == .data("two") { recorder.transport.reactor.stop() } }
        let host = try withReactor { reactor in
            let echo = try reactor.listenUNIXDatagram(path: server, protocol: DatagramEcho())
            let port = try reactor.listenUNIXDatagram(path: client, protocol: recorder)
            try port.write("one", to: .unix(server))
            try port.write("", to: .unix(server))
            try port.write("two", to: .unix(server))
            return echo.host
        }
        return (recorder.texts, recorder.senders, host)
    }

    @Test func datagramsGoThereAndBackBetweenPaths() throws {
        let (server, client) = (temporarySocketPath(), temporarySocketPath())
        let (texts, senders, host) = try echo(server: server, client: client)
        #expect(texts == ["one", "", "two"])
        #expect(senders == Array(repeating: .unix(server), count: 3))
        #expect(host == .unix(server))
        for path in [server, client, server + ".lock"] {
            #expect(unsafe access(path, F_OK) == -1, "\(path) is left behind")
        }
    }

    #if os(Linux)
    @Test func abstractNamesNeedNoFile() throws {
        let (server, client) = ("@twill-\(getpid())-s", "@twill-\(getpid())-c")
        let (texts, senders, _) = try echo(server: server, client: client)
        #expect(texts == ["one", "", "two"])
        #expect(senders == Array(repeating: .unix(server), count: 3))
    }
    #endif

    @Test func connectedSocketTalksToItsPeerAlone() throws {
        let paths = (0..<3).map { _ in temporarySocketPath() }
        let recorder = DatagramRecorder()
        try withReactor { reactor in
            recorder.whenTold = { [unowned reactor] _, event in if event == .data("hello") { reactor.stop() } }
            let echo = try reactor.listenUNIXDatagram(path: paths[0], protocol: DatagramEcho())
            let stranger = try reactor.listenUNIXDatagram(path: paths[1], protocol: DatagramRecorder())
            let port = try reactor.connectUNIXDatagram(path: paths[0], protocol: recorder, bindPath: paths[2])
            #expect(port.peer == echo.host)
            #expect(port.host == .unix(paths[2]))
            try stranger.write("from a stranger", to: port.host)
            try port.write("hello")
            #expect(throws: DatagramError.alreadyConnected) { try port.write("x", to: stranger.host) }
        }
        #expect(recorder.texts == ["hello"])
    }

    @Test func aSenderWithoutAPathIsHeardAndCannotBeAnswered() throws {
        let path = temporarySocketPath()
        let recorder = DatagramRecorder()
        recorder.whenReceived = { recorder, _, sender in
            #expect(sender == .unix(""))
            let error = #expect(throws: DatagramError.invalidAddress) { try recorder.transport.write("answer", to: sender) }
            #expect(error?.description.contains("its owner has to bind it to one") == true)
            recorder.transport.reactor.stop()
        }
        try withReactor { reactor in
            try reactor.listenUNIXDatagram(path: path, protocol: recorder)
            try reactor.connectUNIXDatagram(path: path, protocol: DatagramRecorder()).write("hello")
        }
        #expect(recorder.texts == ["hello"])
    }

    @Test func longDatagramsArriveWholeOrAreToldToBeCutOff() throws {
        let (server, client) = (temporarySocketPath(), temporarySocketPath())
        let recorder = DatagramRecorder()
        try withReactor { reactor in
            recorder.whenTold = { [unowned reactor] _, event in if case .truncated = event { reactor.stop() } }
            try reactor.listenUNIXDatagram(path: server, protocol: recorder, maxPacketSize: 60_000)
            let port = try reactor.listenUNIXDatagram(path: client, protocol: DatagramRecorder())
            let bytes = (0..<65_536).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            let error = #expect(throws: DatagramError.tooLong) { try port.write(bytes, to: .unix(server)) }
            #expect(error?.description.contains("a datagram over a UNIX socket carries at most 65535") == true)
            try port.write(Array(bytes.prefix(60_000)), to: .unix(server))
            try port.write(Array(bytes.prefix(60_001)), to: .unix(server))
        }
        #expect(recorder.received.map(\.count) == [60_000])
        #expect(recorder.events == [.started, .data("60000 bytes"), .truncated(60_000), .stopped])
    }

    @Test func whoIsNotThereIsToldAndThePortGoesOn() throws {
        let (gone, alive, client) = (temporarySocketPath(), temporarySocketPath(), temporarySocketPath())
        let recorder = DatagramRecorder()
        let echo = DatagramRecorder()
        try withReactor { reactor in
            let stopped = try reactor.listenUNIXDatagram(path: gone, protocol: DatagramRecorder())
            try reactor.listenUNIXDatagram(path: alive, protocol: echo)
            let port = try reactor.listenUNIXDatagram(path: client, protocol: recorder)
            stopped.stopListening()
            try port.write("x", to: .unix(gone))
            try port.write("y", to: .unix(alive))
            reactor.when {
                recorder.count(.failed(.failed)) == 1 && echo.texts == ["y"]
            } then: { [unowned reactor] in
                reactor.stop()
            }
        }
    }

    @Test func aReceiverThatDoesNotReadLosesWhatIsTooMuchAndTheSenderIsTold() throws {
        let path = temporarySocketPath()
        let recorder = DatagramRecorder()
        let receiver = try Socket(descriptor: UDPSocket.open(UNIXDatagramBinding(path: path, wantsLock: false)).0.descriptor)
        let port = try withReactor { reactor in
            recorder.whenTold = { [unowned reactor] _, event in if event == .filled { reactor.stop() } }
            let port = try reactor.connectUNIXDatagram(path: path, protocol: recorder)
            // As many as any queue of the system's has room for, and more.
            for _ in 0..<100_000 { try port.write("x") }
            return port
        }
        #expect(recorder.count(.filled) == 1)
        #expect(port.statistics.dropped > 0 && port.statistics.sent > 0)
        #expect(port.statistics.dropped + port.statistics.sent == 100_000)
        receiver.close()
        _ = unsafe unlink(path)
    }

    @Test func whatCannotBeListenedOnIsASentence() throws {
        let path = temporarySocketPath()
        let reactor = try LibeventReactor(logger: RecordedLog().logger)
        let port = try reactor.listenUNIXDatagram(path: path, protocol: DatagramRecorder())
        for wantsLock in [true, false] {
            #expect(throws: ListenError.addressInUse) {
                try reactor.listenUNIXDatagram(path: path, protocol: DatagramRecorder(), wantsLock: wantsLock)
            }
        }
        #expect(throws: ListenError.missingFolder) {
            try reactor.listenUNIXDatagram(path: "/no/such/folder/x", protocol: DatagramRecorder(), wantsLock: false)
        }
        #expect(throws: ListenError.badPath) {
            try reactor.listenUNIXDatagram(path: "@" + String(repeating: "x", count: 200), protocol: DatagramRecorder())
        }
        let error = #expect(throws: DatagramError.failed) {
            try reactor.connectUNIXDatagram(path: "/tmp/nobody-\(getpid())", protocol: DatagramRecorder())
        }
        #expect(error?.address == .unix("/tmp/nobody-\(getpid())"))
        #expect(throws: DatagramError.invalidAddress) { try port.write("x", to: Address.broadcast(port: 80)) }
        #expect(throws: DatagramError.failed) { try port.write("x", to: .unix(String(repeating: "x", count: 200))) }
        #expect(throws: DatagramError.notConnected) { try port.write("x") }
        var status = stat()
        #expect(unsafe stat(path, &status) == 0 && status.st_mode & 0o777 == 0o600)
        reactor.stop()
        try reactor.runToStop()
    }

    @Test(.enabled(if: hasProgram("python3"), "python3 is not installed")) func pythonIsAnswered() throws {
        let path = temporarySocketPath()
        let program = """
            import os, socket, sys
            s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            s.settimeout(20)
            s.bind(sys.argv[1] + ".py")
            for size in (0, 1, 8192):
                s.sendto(b"x" * size, sys.argv[1])
                data, sender = s.recvfrom(65536)
                print(len(data), sender == sys.argv[1])
            os.unlink(sys.argv[1] + ".py")
            """
        let output = Mutex("")
        try withReactor { reactor in
            try reactor.listenUNIXDatagram(path: path, protocol: DatagramEcho())
            reactor.runClient {
                let end = try ChildProcess(["python3", "-c", program, path]).waitForEnd()
                output.withLock { $0 = end.output + end.errors }
            }
        }
        #expect(output.withLock { $0 } == "0 True\n1 True\n8192 True\n")
    }
}
