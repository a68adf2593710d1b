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

@Suite("UNIX sockets and their files", .nothingLivesOn)
struct UNIXSocketTests {
    private let path = temporarySocketPath()

    /// What a server on the path answers with; nil where it can't listen.
    private func listen(
        _ reactor: LibeventReactor, at path: String, mode: UInt16 = 0o600, wantsLock: Bool = true
    ) throws -> any ListeningPort {
        try reactor.listenUNIX(path: path, factory: Factory { Recorder() }, mode: mode, wantsLock: wantsLock)
    }

    /// Why nobody can listen there.
    private func refusal(at path: String, wantsLock: Bool = true) throws -> ListenError? {
        let reactor = try LibeventReactor(logger: RecordedLog().logger)
        do {
            _ = try listen(reactor, at: path, wantsLock: wantsLock)
            reactor.stop()
            try reactor.runToStop()
            return nil
        } catch let error as ListenError {
            return error
        }
    }

    private func mode(of path: String) -> mode_t? {
        var status = stat()
        return unsafe lstat(path, &status) == 0 ? status.st_mode & 0o777 : nil
    }

    private func exists(_ path: String) -> Bool { mode(of: path) != nil }

    private func makeFile(_ path: String, holding text: String) {
        let file = systemCreate(path)
        unsafe text.withCString { _ = unsafe write(file, $0, text.utf8.count) }
        systemClose(file)
    }

    /// A socket's file whose server is gone.
    private func leaveSocket(at path: String) throws {
        let socket = try Socket.stream(for: .unix(path))
        try socket.bind(to: .unix(path))
        socket.close()
    }

    @Test(
        "U01: the file has the mode that was asked for, whatever the process's mask is, and goes with the port",
        arguments: [0o600, 0o666, 0o660])
    func theFileHasItsMode(_ wanted: UInt16) throws {
        try withReactor { reactor in
            let port = try listen(reactor, at: path, mode: wanted)
            #expect(mode(of: path) == mode_t(wanted))
            #expect(exists(path + ".lock"))
            #expect(port.address == .unix(path))
            port.stopListening()
            #expect(!exists(path))
            #expect(!exists(path + ".lock"))
            reactor.stop()
        }
    }

    @Test("U1: a socket that a server has left behind is removed") func aStaleSocketIsRemoved() throws {
        try leaveSocket(at: path)
        #expect(try refusal(at: path) == nil)
        try leaveSocket(at: path)
        #expect(try refusal(at: path, wantsLock: false) == nil)
        #expect(!exists(path))
    }

    @Test("U1: a socket that is listened on stays, and says so") func aLiveSocketStays() throws {
        try withReactor { reactor in
            _ = try listen(reactor, at: path, wantsLock: false)
            #expect(try refusal(at: path, wantsLock: false) == .addressInUse)
            #expect(try refusal(at: path) == .addressInUse)
            #expect(exists(path))
            reactor.stop()
        }
        #expect(!exists(path))
    }

    @Test("U02: the lock keeps a second server away though the first one's file is gone") func theLockIsHeld() throws {
        try withReactor { reactor in
            _ = try listen(reactor, at: path)
            #expect(unsafe unlink(path) == 0)
            let error = try #require(try refusal(at: path))
            #expect(error == .addressInUse)
            #expect(error.description == "Couldn't listen on \(path): address already in use; stop the other server or choose another path")
            reactor.stop()
        }
        #expect(!exists(path + ".lock"))
    }

    @Test("U1: what is no socket is never touched") func otherFilesAreLeftAlone() throws {
        defer { _ = unsafe unlink(path) }
        makeFile(path, holding: "precious")
        #expect(try refusal(at: path) == .notASocket)
        #expect(exists(path))
        let link = path + ".link"
        defer { _ = unsafe unlink(link) }
        #expect(unsafe symlink(path, link) == 0)
        let error = try #require(try refusal(at: link))
        #expect(error == .notASocket)
        #expect(error.description.contains("a file that is no socket is there, and stays"))
        #expect(exists(link))
        #expect(!exists(path + ".lock"))
    }

    @Test("U1: a path that can't be is a sentence") func impossiblePaths() throws {
        let long = "/tmp/" + String(repeating: "x", count: 103)
        #expect(try refusal(at: long) == .badPath)
        #expect(
            try refusal(at: long, wantsLock: false)?.description
                == "Couldn't listen on \(long): a UNIX socket's path has 1 to 107 bytes, not 108; names that begin with @ need Linux")
        #expect(try refusal(at: "", wantsLock: false) == .badPath)
        #expect(try refusal(at: "/tmp/no-such-folder-\(getpid())/s") == .missingFolder)
        #expect(try refusal(at: "/tmp/no-such-folder-\(getpid())/s", wantsLock: false) == .missingFolder)
    }

    @Test("U3: a port takes away its own file only") func anothersFileStays() throws {
        try withReactor { reactor in
            let port = try listen(reactor, at: path, wantsLock: false)
            #expect(unsafe unlink(path) == 0)
            let newer = try listen(reactor, at: path, wantsLock: false)
            port.stopListening()
            #expect(exists(path))
            newer.stopListening()
            #expect(!exists(path))
            reactor.stop()
        }
    }

    @Test("U4: the peer's process and user are known") func credentials() throws {
        let server = Recorder()
        let seen = Shared<PeerCredentials?>(nil)
        try withReactor { reactor in
            server.whenMade = { seen.value = $0.transport.peerCredentials }
            _ = try reactor.listenUNIX(path: path, factory: OneConnectionFactory(server))
            let client = ClientFactory { Recorder() }
            let connector = try reactor.connectUNIX(path: path, factory: client)
            reactor.when {
                server.events.count > 0
            } then: {
                #expect(server.transport.peer == .unix(""))
                #expect(server.transport.host == .unix(path))
                connector.disconnect()
                reactor.stop()
            }
        }
        #expect(seen.value == PeerCredentials(processID: getpid(), userID: getuid(), groupID: getgid()))
    }

    @Test("a TCP connection has no credentials") func noCredentials() throws {
        let pair = try Conformance.withPair(on: .tcp) { pair in
            pair.server.whenMade = { server in
                #expect(server.transport.peerCredentials == nil)
                server.transport.loseConnection()
            }
        }
        #expect(pair.server.reason == .done)
    }

    #if os(Linux)
    @Test("a name that begins with @ is no file") func abstractNames() throws {
        let name = "@twill-\(getpid())"
        let client = Recorder()
        try withReactor { reactor in
            let server = Recorder()
            server.whenMade = { $0.transport.write("hello") }
            let port = try reactor.listenUNIX(path: name, factory: OneConnectionFactory(server))
            #expect(port.address == .unix(name))
            #expect(throws: ListenError.addressInUse) { try reactor.listenUNIX(path: name, factory: Factory { Recorder() }) }
            client.whenData = { client in
                #expect(client.transport.peer == .unix(name))
                reactor.stop()
            }
            try reactor.connectUNIX(path: name, factory: RecordingClientFactory { [weak client] _ in client })
        }
        #expect(client.text == "hello")
    }
    #endif

    @Test("a socket that is not there refuses") func nobodyIsThere() throws {
        let factory = RecordingClientFactory { Recorder() }
        try withReactor { reactor in
            factory.whenFailed = { _, _ in reactor.stop() }
            try reactor.connectUNIX(path: path, factory: factory)
        }
        #expect(factory.failure == .refused)
        #expect(factory.failure?.destination == path)
        factory.whenFailed = nil
    }

    @Test("a full queue is waited for") func aFullQueue() throws {
        let factory = RecordingClientFactory { Recorder() }
        try withReactor { reactor in
            let port = try reactor.listenUNIX(path: path, factory: Factory { Recorder() }, backlog: 1)
            port.pauseAccepting()
            let others = RecordingClientFactory { Recorder() }
            for _ in 0..<3 { try reactor.connectUNIX(path: path, factory: others) }
            let connector = try reactor.connectUNIX(path: path, factory: factory)
            reactor.callLater(.milliseconds(50)) {
                #expect(connector.state == .connecting)
                port.resumeAccepting()
            }
            reactor.when {
                connector.state == .connected
            } then: {
                reactor.stop()
            }
        }
        #expect(factory.failure == nil)
    }
}
