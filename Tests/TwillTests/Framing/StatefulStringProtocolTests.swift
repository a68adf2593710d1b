import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

/// Rows S1 to S3 of the catalogue of cases.
@Suite("StatefulStringProtocol", .nothingLivesOn)
struct StatefulStringProtocolTests {
    private enum State: Equatable {
        case initial
        case next(after: String)
        case broken
    }

    private struct Broken: Error {}

    /// What is heard, and which state follows: the strings `x` and `d` break and end the conversation.
    private struct Conversation {
        var heard: [String] = []

        mutating func step(_ string: Span<UInt8>, _ state: State) throws -> State? {
            let string = text(string)
            switch state {
            case .initial: heard.append("init(\(string))")
            case .next(let previous): heard.append("next(\(string) after \(previous))")
            case .broken: throw Broken()
            }
            return string == "d" ? nil : string == "x" ? .broken : .next(after: string)
        }
    }

    private final class Int8: Int8StringReceiver, StatefulStringProtocol {
        var state: State? = .initial
        var conversation = Conversation()
        func stringReceived(_ string: Span<UInt8>, in state: State) throws -> State? { try conversation.step(string, state) }
    }

    private final class Lines: LineReceiver, StatefulStringProtocol {
        var state: State? = .initial
        var conversation = Conversation()
        func stringReceived(_ string: Span<UInt8>, in state: State) throws -> State? { try conversation.step(string, state) }
    }

    private final class Netstrings: NetstringReceiver, StatefulStringProtocol {
        var state: State? = .initial
        var conversation = Conversation()
        func stringReceived(_ string: Span<UInt8>, in state: State) throws -> State? { try conversation.step(string, state) }
    }

    private final class Frames: FramedReceiver<FixedSizeFramer>, StatefulStringProtocol {
        var state: State? = .initial
        var conversation = Conversation()
        func stringReceived(_ string: Span<UInt8>, in state: State) throws -> State? { try conversation.step(string, state) }
    }

    private static let whole = ["init(a)", "next(b after a)", "next(d after b)"]

    @Test("S1: each string meets the state that the one before it led to, until the conversation ends")
    func states() throws {
        for chunks in everySplit(of: "\u{1}a\u{1}b\u{1}d\u{1}e") {
            let (receiver, wire) = (Int8(), RecordingTransport())
            try receiver.makeConnection(wire)
            for chunk in chunks { try receiver.feed(chunk) }
            #expect(receiver.conversation.heard == Self.whole)
            #expect(receiver.state == nil)
            #expect(wire.events == ["LOSE"])
        }
    }

    @Test("S1: what arrives after its end is ignored")
    func afterTheEnd() throws {
        let (receiver, wire) = (Int8(), RecordingTransport())
        try receiver.makeConnection(wire)
        for chunk in ["\u{1}a\u{1}b\u{1}d\u{1}e", "\u{1}f"] { try receiver.feed(chunk) }
        #expect(receiver.conversation.heard == Self.whole)
        #expect(wire.events == ["LOSE"])
        #expect(receiver.unreadBytes == [])
    }

    @Test("S1: every receiver can have states")
    func everyReceiver() throws {
        for input in everySplit(of: "a\r\nb\r\nd\r\ne\r\n") {
            let (receiver, wire) = (Lines(), RecordingTransport())
            try receiver.makeConnection(wire)
            for chunk in input { try receiver.feed(chunk) }
            #expect(receiver.conversation.heard == Self.whole)
            #expect(wire.events == ["LOSE"])
        }
        for input in everySplit(of: "1:a,1:b,1:d,1:e,") {
            let (receiver, wire) = (Netstrings(), RecordingTransport())
            try receiver.makeConnection(wire)
            for chunk in input { try receiver.feed(chunk) }
            #expect(receiver.conversation.heard == Self.whole)
            #expect(wire.events == ["LOSE"])
        }
        for input in everySplit(of: "abde") {
            let (receiver, wire) = (Frames(FixedSizeFramer(size: 1)), RecordingTransport())
            try receiver.makeConnection(wire)
            for chunk in input { try receiver.feed(chunk) }
            #expect(receiver.conversation.heard == Self.whole)
            #expect(wire.events == ["LOSE"])
        }
    }

    @Test("S2, S3: the states are the cases of an enum, none can be unknown or missing, and an error ends the conversation")
    func typedStates() throws {
        let (receiver, wire) = (Int8(), RecordingTransport())
        try receiver.makeConnection(wire)
        #expect(throws: Broken.self) { try receiver.feed("\u{1}a\u{1}x\u{1}b\u{1}c") }
        try receiver.feed("\u{1}d")
        #expect(receiver.conversation.heard == ["init(a)", "next(x after a)"])
        #expect(receiver.state == .broken)
    }

    @Test("a receiver whose conversation has not begun ignores strings until it has")
    func notBegun() throws {
        let (receiver, wire) = (Int8(), RecordingTransport())
        try receiver.makeConnection(wire)
        receiver.state = nil
        try receiver.feed("\u{1}a")
        receiver.state = .initial
        try receiver.feed("\u{1}b")
        #expect(receiver.conversation.heard == ["init(b)"])
        #expect(wire.events == [])
    }
}
