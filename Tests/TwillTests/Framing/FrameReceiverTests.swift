import TestSupport
import Testing

@testable import Twill

/// What every receiver promises, tried with each of them.
@Suite("FrameReceiver", .nothingLivesOn)
struct FrameReceiverTests {
    private struct Broken: Error {}

    @Test("frames are delivered in order, however they are cut", arguments: FramingKind.allCases)
    func frames(_ kind: FramingKind) throws {
        try expectAtEveryChunking(kind.wire("a", "", "hello", "", "b"), ["a", "", "hello", "", "b"].map(kind.heard)) {
            try kind.receiver()
        }
    }

    @Test("a pause in the middle of a batch holds back the rest of it, until it is resumed", arguments: FramingKind.allCases)
    func pause(_ kind: FramingKind) throws {
        let expected = [kind.heard("a"), kind.heard("p"), "pause", "resume", kind.heard("b"), kind.heard(""), kind.heard("c")]
        let input = kind.wire("a", "p", "b", "", "c")
        try expectAtEveryChunking(input, expected) {
            try kind.receiver { receiver, frame in if frame == "p" { receiver.pauseProducing() } }
        } atTheEnd: {
            #expect($0.heard == Array(expected.prefix(3)))
            #expect($0.unreadBytes == bytes(kind.wire("b", "", "c")))
            #expect($0.unfinishedByteCount == 0, "nobody waits for the peer")
            try $0.resumeProducing()
        }
    }

    @Test("a pause outside of a callback holds back what comes, a part of a frame too", arguments: FramingKind.allCases)
    func pauseOutside(_ kind: FramingKind) throws {
        let input = kind.wire("hello", "b")
        for (first, second) in FramerSample("", kind.alone, input).cuts {
            let receiver = try kind.receiver()
            try receiver.feed(first)
            let before = receiver.heard
            receiver.pauseProducing()
            receiver.pauseProducing()
            try receiver.hear(chunks(of: second, size: 2))
            #expect(receiver.heard == before + ["pause", "pause"])
            try receiver.resumeProducing()
            try receiver.resumeProducing()
            #expect(receiver.heard.filter { !["pause", "resume"].contains($0) } == [kind.heard("hello"), kind.heard("b")])
            #expect(receiver.unreadBytes == [])
        }
    }

    @Test("whoever pauses on every frame gets one for each resume", arguments: FramingKind.allCases)
    func onePerResume(_ kind: FramingKind) throws {
        try expectAtEveryChunking(
            kind.wire("a", "b", "c"), ["a", "b", "c"].flatMap { [kind.heard($0), "pause", "resume"] }
        ) {
            try kind.receiver { receiver, _ in receiver.pauseProducing() }
        } atTheEnd: {
            for _ in 1...3 { try $0.resumeProducing() }
        }
    }

    @Test("pausing and resuming in a callback neither recurses nor repeats", arguments: FramingKind.allCases)
    func pauseAndResume(_ kind: FramingKind) throws {
        var depth = 0
        let expected = ["a", "b", "c"].flatMap { [kind.heard($0), "pause", "resume"] }
        try expectAtEveryChunking(kind.wire("a", "b", "c"), expected) {
            try kind.receiver { receiver, _ in
                depth += 1
                #expect(depth == 1)
                receiver.pauseProducing()
                try receiver.resumeProducing()
                depth -= 1
            }
        }
    }

    @Test(
        "bytes received inside a callback come behind the input at hand, and are not delivered inside it", arguments: FramingKind.allCases)
    func reentrant(_ kind: FramingKind) throws {
        var depth = 0
        let receiver = try kind.receiver { receiver, frame in
            depth += 1
            #expect(depth == 1)
            if frame == "a" { for chunk in chunks(of: kind.wire("n", "m"), size: 1) { try receiver.feed(chunk) } }
            if frame == "n" { try receiver.feed(kind.wire("o")) }
            depth -= 1
        }
        #expect(try receiver.hear(kind.wire("a", "b", "c")) == ["a", "b", "c", "n", "m", "o"].map(kind.heard))
        #expect(receiver.unreadBytes == [])
    }

    @Test("bytes received inside a callback that pauses wait with the rest, behind it", arguments: FramingKind.allCases)
    func reentrantWhilePaused(_ kind: FramingKind) throws {
        let receiver = try kind.receiver { receiver, frame in
            guard frame == "a" else { return }
            try receiver.feed(kind.wire("m"))
            receiver.pauseProducing()
            try receiver.feed(kind.wire("n"))
        }
        #expect(try receiver.hear(kind.wire("a", "b")) == [kind.heard("a"), "pause"])
        try receiver.resumeProducing()
        #expect(receiver.heard.suffix(3) == ["b", "m", "n"].map(kind.heard))
    }

    @Test("an error of a callback ends the delivery for good, and nothing is kept", arguments: FramingKind.allCases)
    func throwing(_ kind: FramingKind) throws {
        for chunks in everySplit(of: kind.wire("a", "b", "c", "d")) {
            let receiver = try kind.receiver { _, frame in if frame == "b" { throw Broken() } }
            var errors = 0
            for chunk in chunks {
                do { try receiver.feed(chunk) } catch { errors += 1 }
            }
            #expect(errors == 1)
            try receiver.resumeProducing()
            try receiver.feed(kind.wire("e"))
            #expect(receiver.heard == [kind.heard("a"), kind.heard("b"), "resume"])
            #expect(receiver.unreadBytes == [])
            #expect(!receiver.hasMore)
        }
    }

    @Test("an error of a callback that a resume called is the resume's", arguments: FramingKind.allCases)
    func throwingAtTheResume(_ kind: FramingKind) throws {
        let receiver = try kind.receiver { _, frame in if frame == "b" { throw Broken() } }
        receiver.pauseProducing()
        try receiver.feed(kind.wire("a", "b", "c"))
        #expect(throws: Broken.self) { try receiver.resumeProducing() }
        try receiver.resumeProducing()
        #expect(receiver.heard == ["pause", "resume", kind.heard("a"), kind.heard("b"), "resume"])
    }

    @Test("nothing is delivered once the connection is closing, and nothing is kept", arguments: FramingKind.allCases, [false, true])
    func closing(_ kind: FramingKind, _ stops: Bool) throws {
        try expectAtEveryChunking(kind.wire("a", "q", "b", "c"), [kind.heard("a"), kind.heard("q"), "LOSE"]) {
            try kind.receiver { receiver, frame in
                guard frame == "q" else { return }
                if stops { receiver.stopProducing() } else { receiver.transport.loseConnection() }
                #expect(!receiver.hasMore)
            }
        } atTheEnd: {
            #expect($0.unreadBytes == [])
        }
    }

    @Test("nor is anything that a pause held back, if the connection was lost meanwhile", arguments: FramingKind.allCases)
    func closingWhilePaused(_ kind: FramingKind) throws {
        let receiver = try kind.receiver { receiver, _ in receiver.pauseProducing() }
        try receiver.feed(kind.wire("a", "b"))
        receiver.wire.setState(.disconnected)
        receiver.onLoss()
        #expect(receiver.script.unreadAtTheEnd == bytes(kind.wire("b")))
        try receiver.resumeProducing()
        #expect(receiver.heard == [kind.heard("a"), "pause", "resume"])
    }

    @Test("a receiver without a transport delivers, and sends nothing", arguments: FramingKind.allCases)
    func withoutTransport(_ kind: FramingKind) throws {
        final class Lines: LineReceiver {
            var count = 0
            override func lineReceived(_ line: Span<UInt8>) {
                count += 1
                pauseProducing()
                sendLine(line)
            }
        }
        let lines = Lines()
        try lines.feed("a\r\nb\r\n")
        try lines.resumeProducing()
        #expect(lines.count == 2)
        #expect(lines.hasMore)
        lines.stopProducing()
        try lines.feed("c\r\n")
        #expect(lines.count == 2)
    }
}
