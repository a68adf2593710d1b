import TestSupport
import Testing

@testable import Twill

// The programs of Framing.md, word for word, and what they say they do.

private final class Shout: LineReceiver {
    override func lineReceived(_ line: Span<UInt8>) throws {
        sendLine(try String(validating: line).uppercased())
    }
}

private final class Tolerant: LineReceiver {
    init() { super.init(delimiter: .any, lengthMax: 512, overlong: .discard) }
    override func lineReceived(_ line: Span<UInt8>) { sendLine("ok") }
    override func lineLengthExceeded(_ line: Span<UInt8>) { sendLine("too long") }
}

private final class Store: LineReceiver {
    private var wanted = 0
    private var value: [UInt8] = []

    override func lineReceived(_ line: Span<UInt8>) throws {
        let words = try String(validating: line).split(separator: " ")
        guard words.count == 2, words[0] == "put", let count = Int(words[1]), (1...1024).contains(count) else {
            return sendLine("error: put, and a number of bytes up to 1024")
        }
        (wanted, value) = (count, [])
        setRawMode()
    }

    override func rawDataReceived(_ data: Span<UInt8>) throws {
        let taken = min(wanted - value.count, data.count)
        for index in 0..<taken { value.append(data[index]) }
        guard value.count == wanted else { return }
        sendLine("stored \(wanted) bytes")
        try setLineMode(data.extracting(taken...))
    }
}

private final class Login: Int16StringReceiver, StatefulStringProtocol {
    enum State {
        case name
        case password(for: String)
    }
    var state: State? = .name

    func stringReceived(_ string: Span<UInt8>, in state: State) throws -> State? {
        switch state {
        case .name: return .password(for: try String(validating: string))
        case .password(let name):
            try sendString("welcome, \(name)")
            return nil
        }
    }
}

private final class Greeting: LineReceiver {
    override func lineReceived(_ line: Span<UInt8>) throws {
        if String(repairing: line) == "BINARY" { try handOver(to: Packets(FixedSizeFramer(size: 4))) }
    }
}

private final class Packets: FramedReceiver<FixedSizeFramer> {
    override func frameReceived(_ packet: Span<UInt8>) { sendFrame(packet) }
}

@Suite(.nothingLivesOn) struct FramingExamplesTests {
    /// What a server answers to a client that says something and then nothing more.
    private func answers(to input: String, from make: @escaping () -> Twill::Protocol) throws -> String {
        let answer = Shared("")
        try withReactor { reactor in
            let port = try reactor.listenTCP(port: 0, factory: Factory(make), interface: "127.0.0.1").number
            reactor.runClient {
                let client = try RawSocket(connectedTo: port)
                try client.send(input)
                client.shutdownWriting()
                answer.value = String(decoding: try client.receiveToEnd(), as: UTF8.self)
            }
        }
        return answer.value
    }

    @Test func linesAreShoutedAndWhatIsNoTextClosesTheConnection() throws {
        #expect(try answers(to: "hello\r\nworld\r\n") { Shout() } == "HELLO\r\nWORLD\r\n")
        let wire = RecordingTransport()
        let shout = Shout()
        try shout.makeConnection(wire)
        #expect(throws: Rejection(.notUTF8, offset: 2)) { try shout.feed("ab\u{FF}\r\n") }
    }

    @Test func aLineThatIsTooLongIsSkipped() throws {
        let long = String(repeating: "x", count: 513)
        #expect(try answers(to: "a\n\(long)\nb\r\n") { Tolerant() } == "ok\r\ntoo long\r\nok\r\n")
    }

    @Test func bytesThatALineAnnouncesAreStored() throws {
        let expected = "stored 5 bytes\r\nerror: put, and a number of bytes up to 1024\r\nstored 2 bytes\r\n"
        #expect(try answers(to: "put 5\r\n\r\n\r\n!put x\r\nput 2\r\nab") { Store() } == expected)
    }

    @Test func aConversationGoesThroughItsStates() throws {
        #expect(try answers(to: "\0\u{3}eve\0\u{6}secret\0\u{1}x") { Login() } == "\0\u{C}welcome, eve")
    }

    @Test func aConnectionIsHandedOverWithTheBytesThatHaveArrived() throws {
        #expect(try answers(to: "hello\r\nBINARY\r\n1234567890") { Greeting() } == "12345678")
    }

    @Test func aFramerNeedsNoConnection() throws {
        let chunks = ["one\ntw", "o\r", "\nthree and ", "more"].map { Array($0.utf8) }
        var framer = LineFramer(delimiter: .any)
        var longest = 0
        for chunk in chunks {
            try framer.forEachFrame(in: chunk.span) { line in longest = max(longest, line.count) }
        }
        #expect(longest == 3)
        longest = max(longest, framer.unfinishedByteCount)
        #expect(longest == "three and more".utf8.count)
        var output: [UInt8] = []
        framer.encode(Array("four".utf8), into: &output)
        #expect(output == Array("four\r\n".utf8))
        _ = LineReceiver(delimiter: ";", lengthMax: 512)
    }
}
