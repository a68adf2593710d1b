import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

/// A framer of the tests' own: frames end with `!`, and `?` breaks the rules. It keeps to the contract in its own way: it does not move the
/// position where it wants more.
private struct ShoutFramer: Framer {
    var streamOffset = 0
    private var collected: [UInt8] = []
    private var rejection: Rejection?
    /// How often it was asked in vain.
    private(set) var vainCalls = 0

    mutating func next(in input: Span<UInt8>, at position: inout Int) -> FramerStep {
        if let rejection { return .rejected(rejection) }
        for index in position..<input.count where input[index] == UInt8(ascii: "!") || input[index] == UInt8(ascii: "?") {
            guard input[index] == UInt8(ascii: "!") else {
                let rejection = Rejection(.other("nobody asks here"), offset: streamOffset + index)
                self.rejection = rejection
                collected = []
                return .rejected(rejection)
            }
            defer { position = index + 1 }
            guard !collected.isEmpty else { return .frame(position..<index) }
            collected += Array(copying: input.extracting(position..<index))
            return .collectedFrame
        }
        vainCalls += 1
        if vainCalls > 100 { return .rejected(Rejection(.other("the same input was offered again and again"), offset: 0)) }
        collected += Array(copying: input.extracting(position...))
        streamOffset += input.count
        return .needsMore
    }

    mutating func takeCollected() -> [UInt8] {
        defer { collected = [] }
        return collected
    }

    var unfinishedBytes: [UInt8] { collected }
    var unfinishedByteCount: Int { collected.count }

    mutating func reset() {
        collected = []
        rejection = nil
    }

    func encode(_ frame: Span<UInt8>, into output: inout [UInt8]) { output += Array(copying: frame) + [UInt8(ascii: "!")] }
}

@Suite("FramedReceiver", .nothingLivesOn)
struct FramedReceiverTests {
    @Test("a framer of one's own is received like any other")
    func ownFramer() throws {
        try expectAtEveryChunking("hello!!world!half", ["str(hello)", "str()", "str(world)"]) {
            try ScriptedFrames(ShoutFramer(), Script { _, _ in })
        } atTheEnd: {
            #expect($0.unreadBytes == bytes("half"))
            #expect($0.unfinishedByteCount == 4)
        }
    }

    @Test("what it rejects closes the connection, in its own words")
    func ownRejection() throws {
        try expectAtEveryChunking("hello!wor?ld!", ["str(hello)", "LOSE"]) {
            try ScriptedFrames(ShoutFramer(), Script { _, _ in })
        } atTheEnd: {
            #expect($0.rejection == Rejection(.other("nobody asks here"), offset: 9))
            #expect($0.wire.reason?.description == "the peer broke the rules of the protocol: nobody asks here, at byte 9")
        }
    }

    @Test("frames of a fixed size are received as they fill")
    func fixedSize() throws {
        try expectAtEveryChunking("abcdefgh", ["str(abc)", "str(def)"]) {
            try ScriptedFrames(FixedSizeFramer(size: 3), Script { _, _ in })
        } atTheEnd: {
            #expect($0.unreadBytes == bytes("gh"))
        }
    }

    @Test("a framer that skips lines is received without them")
    func skippedLines() throws {
        try expectAtEveryChunking("a;0123456789;b;0123456789;01234567;", ["str(a)", "str(b)", "str(01234567)"]) {
            try ScriptedFrames(LineFramer(delimiter: ";", lengthMax: 8, overlong: .discard), Script { _, _ in })
        }
    }

    @Test("a receiver that overrides nothing takes its frames in silence")
    func nothingOverridden() throws {
        let receiver = FramedReceiver(NetstringFramer())
        try receiver.feed("1:a,1:b,1")
        #expect(receiver.unreadBytes == bytes("1"))
    }
}
