import Logging
import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

@Suite(.nothingLivesOn) final class TrafficLoggingFactoryTests {
    private let reactor = VirtualReactor()
    private let recorder = Recorder()
    private let lines = Shared<[String]>([])

    deinit { reactor.end() }

    private func connected(lengthMax: Int? = 1000) throws -> VirtualTransport {
        let lines = lines
        let factory = TrafficLoggingFactory(wrapping: OneConnectionFactory(recorder), lengthMax: lengthMax) { line in
            lines.change { $0.append(line) }
        }
        return try reactor.connection(to: factory)
    }

    @Test func everyReadAndEveryWriteIsALine() throws {
        let transport = try connected()
        transport.say("hello\r\n")
        recorder.transport.write("hi")
        recorder.transport.write(SharedBytes("shared"))
        recorder.transport.writeFrame(prefix: .none, body: [UInt8]("framed".utf8).span, suffix: edge("\r\n"))
        recorder.transport.write("")
        #expect(lines.value == [#"C 1: "hello\r\n""#, #"S 1: "hi""#, #"S 1: "shared""#, #"S 1: "framed\r\n""#])
        #expect(transport.written == "hisharedframed\r\n")
        #expect(recorder.text == "hello\r\n")
    }

    @Test func connectionsAreNumbered() throws {
        let lines = lines
        let factory = TrafficLoggingFactory(wrapping: Factory { Recorder() }) { line in lines.change { $0.append(line) } }
        let open = try (1...3).map { _ in try reactor.connection(to: factory) }
        for transport in open.reversed() { transport.say(".") }
        #expect(lines.value == [#"C 3: ".""#, #"C 2: ".""#, #"C 1: ".""#])
    }

    @Test func noByteCanEndTheLineOrTheQuotes() throws {
        let transport = try connected()
        let all = (0...255).map { String(Unicode.Scalar(UInt8($0))) }.joined()
        transport.say(all + #"" S 2: "forged\"#)
        let line = try #require(lines.value.first)
        #expect(line.utf8.allSatisfy { (0x20...0x7E).contains($0) })
        #expect(line.hasPrefix(#"C 1: "\x00\x01\x02\x03\x04\x05\x06\x07\x08\t\n\x0b\x0c\r\x0e\x0f\x10"#))
        #expect(line.contains(##"\x1f !\"#$%&"##))
        #expect(line.contains(#"[\\]^_"#))
        #expect(line.contains(#"}~\x7f\x80"#))
        #expect(line.hasSuffix(#"\xff\" S 2: \"forged\\""#))
    }

    @Test func aLongOneIsCutAndCounted() throws {
        let transport = try connected(lengthMax: 4)
        transport.say("1234")
        transport.say("12345")
        recorder.transport.writeFrame(prefix: edge("123"), body: [UInt8]("456".utf8).span, suffix: edge("7"))
        #expect(lines.value == [#"C 1: "1234""#, #"C 1: "1234" and 1 bytes more"#, #"S 1: "1234" and 3 bytes more"#])
    }

    @Test func whatIsDroppedIsNotLogged() throws {
        _ = try connected()
        recorder.transport.loseConnection()
        recorder.transport.write("dropped")
        recorder.transport.write(SharedBytes("dropped"))
        recorder.transport.writeFrame(prefix: .none, body: [UInt8]("dropped".utf8).span, suffix: .none)
        #expect(lines.value == [])
    }

    @Test func withoutASinkTheLinesGoToTheReactorsLogger() throws {
        reactor.logger.logLevel = .debug
        let transport = try reactor.connection(to: TrafficLoggingFactory(wrapping: Factory { Recorder() }, lengthMax: 2))
        transport.say("abc")
        #expect(reactor.log.entries == [#"debug: C 1: "ab" and 1 bytes more"#])
        reactor.logger.logLevel = .trace
        transport.say("c")
        #expect(reactor.log.entries.count == 2)
        reactor.logger.logLevel = .info
        transport.say("abc")
        #expect(reactor.log.entries.count == 2)
    }

    @Test func spewingIsLoudAndWhole() throws {
        let transport = try reactor.connection(to: SpewingFactory(wrapping: Factory { Recorder() }))
        let long = String(repeating: "x", count: 10_000)
        transport.say(long)
        #expect(reactor.log.entries == [#"info: C 1: "\#(long)""#])
    }

    @Test func aRealConversationIsLogged() throws {
        let lines = lines
        let log = RecordedLog()
        try withReactor(log: log) { reactor in
            recorder.whenData = { $0.transport.write("you said \($0.text)") }
            let factory = TrafficLoggingFactory(wrapping: SpewingFactory(wrapping: OneConnectionFactory(recorder))) { line in
                lines.change { $0.append(line) }
            }
            let port = try reactor.listenTCP(port: 0, factory: factory, interface: "127.0.0.1").number
            reactor.runClient {
                let client = try RawSocket(connectedTo: port)
                try client.send("hello")
                try client.expect("you said hello")
            }
        }
        #expect(lines.value == [#"C 1: "hello""#, #"S 1: "you said hello""#])
        #expect(log.entries == [#"info: C 1: "hello""#, #"info: S 1: "you said hello""#])
    }
}
