import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

/// UDP ports that are bound to one peer.
@Suite("Connected UDP ports", .nothingLivesOn)
struct DatagramConnectedTests {
    /// The interface that is listened on, and the peer's host.
    static let ways = [("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("", "127.0.0.1"), ("", "::1")]

    @Test(arguments: ways)
    func aPeerIsWrittenToWithoutItsAddress(interface: String, host: String) throws {
        let raw = try RawDatagramSocket(host: host)
        let recorder = DatagramRecorder()
        recorder.whenReceived = { recorder, bytes, sender in
            try recorder.transport.write(bytes)
            try recorder.transport.write("again", to: sender)
        }
        try withReactor { reactor in
            let port = try reactor.listenUDP(port: 0, protocol: recorder, interface: interface)
            try port.connect(to: raw.address)
            #expect(port.peer == raw.address)
            // The system has chosen by which interface it goes there.
            #expect(port.host.host == host)
            try port.write("hello")
            reactor.runClient {
                let (bytes, sender) = try raw.receive()
                try #require(String(decoding: bytes, as: UTF8.self) == "hello")
                try raw.send("answer", to: sender)
                try #require(try raw.receiveTexts(2) == ["answer", "again"])
            }
        }
        #expect(recorder.senders == [raw.address])
    }

    @Test func whatOthersSendIsNotDelivered() throws {
        let peer = try RawDatagramSocket()
        let stranger = try RawDatagramSocket()
        let recorder = DatagramRecorder()
        let port = try withReactor { reactor in
            let port = try reactor.listenUDP(port: 0, protocol: recorder, interface: "127.0.0.1")
            let server = port.host
            // This one waits already when the port is connected.
            try stranger.send("early", to: server)
            try port.connect(to: peer.address)
            // And this one the system refuses.
            try stranger.send("late", to: server)
            try peer.send("hello", to: server)
            recorder.whenTold = { [unowned reactor] _, event in if event == .data("hello") { reactor.stop() } }
            return port
        }
        #expect(recorder.events == [.started, .data("hello"), .stopped])
        #expect(port.statistics.received == 1)
    }

    @Test(arguments: ways)
    func nobodyListeningIsToldAndThePortGoesOn(interface: String, host: String) throws {
        let nobody = try RawDatagramSocket.freeAddress(host: host)
        let recorder = DatagramRecorder()
        let server = Shared<RawDatagramSocket?>(nil)
        recorder.whenTold = { [unowned recorder] _, event in
            guard event == .refused, server.value == nil else { return }
            // Now somebody does.
            server.value = try RawDatagramSocket(host: host, port: nobody.port ?? 0)
            try recorder.transport.write("is anybody there now?")
        }
        let port = try withReactor { reactor in
            let port = try reactor.listenUDP(port: 0, protocol: recorder, interface: interface)
            try port.connect(to: nobody)
            reactor.callLater(.zero) {
                try port.write("is anybody there?")
                #expect(recorder.events == [.started])
            }
            reactor.when {
                server.value != nil
            } then: {
                reactor.runClient {
                    let (bytes, sender) = try #require(server.value).receive()
                    try #require(String(decoding: bytes, as: UTF8.self) == "is anybody there now?")
                    try server.value?.send("yes", to: sender)
                    try #require(server.value).setPatience(.milliseconds(1))
                }
            }
            return port
        }
        #expect(recorder.events.prefix(2) == [.started, .refused])
        #expect(port.statistics.refused >= 1)
        #expect(port.statistics.failed == 0)
        server.value = nil
    }

    @Test func manyWritesToNobodyAreTriedToTheLast() throws {
        let nobody = try RawDatagramSocket.freeAddress()
        let recorder = DatagramRecorder()
        let port = try withReactor { reactor in
            let port = try reactor.listenUDP(port: 0, protocol: recorder, interface: "127.0.0.1")
            try port.connect(to: nobody)
            reactor.callLater(.zero) {
                for number in 0..<100 { try port.write("\(number)") }
            }
            recorder.whenTold = { [unowned reactor] _, event in if event == .refused { reactor.afterTurns(3) { reactor.stop() } } }
            return port
        }
        #expect(port.statistics.sent == 100)
        #expect(port.statistics.failed == 0)
        #expect(recorder.count(.refused) >= 1)
    }

    @Test func aPortWithoutAPeerHearsNothingOfThose() throws {
        let nobody = try RawDatagramSocket.freeAddress()
        let recorder = DatagramRecorder()
        try withReactor { reactor in
            let port = try reactor.listenUDP(port: 0, protocol: recorder, interface: "127.0.0.1")
            reactor.callLater(.zero) {
                for _ in 0..<5 { try port.write("hello", to: nobody) }
                reactor.afterTurns(5) { reactor.stop() }
            }
        }
        #expect(recorder.events == [.started, .stopped])
    }
}
