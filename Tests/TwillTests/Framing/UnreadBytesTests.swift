import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

/// The bytes that have arrived and were not delivered, and the rules that a peer breaks, of each kind of receiver.
@Suite("FrameReceiver, unread bytes and rejections", .nothingLivesOn)
struct UnreadBytesTests {
    /// Cuts a stream of two frames everywhere; what is left of the first piece when its frames are delivered.
    private func eachCut(of kind: FramingKind, _ body: (_ first: String, _ second: String, _ unread: [UInt8]) throws -> Void) rethrows {
        let ends = [kind.wire(), kind.wire("hello"), kind.wire("hello", "b")].map { bytes($0).count }
        for (first, second) in FramerSample("", kind.alone, kind.wire("hello", "b")).cuts {
            let all = bytes(first)
            let start = ends.last { $0 <= all.count } ?? 0
            try body(first, second, Array(all[start...]))
        }
    }

    @Test("taken in the middle of a split frame they are the bytes of the wire, prefix included", arguments: FramingKind.allCases)
    func taken(_ kind: FramingKind) throws {
        try eachCut(of: kind) { first, second, unread in
            for pieces in everySplit(of: first) {
                let receiver = try kind.receiver()
                try receiver.hear(pieces)
                #expect(receiver.unreadBytes == unread, "of \(first.debugDescription)")
                #expect(receiver.takeUnreadBytes() == unread)
                #expect(receiver.takeUnreadBytes() == [])
                #expect(receiver.unreadBytes == [])
                #expect(receiver.unfinishedByteCount == 0)
                // Another one goes on with them, and this one with what comes.
                let next = try kind.receiver()
                #expect(try receiver.heard + next.hear(text(unread.span) + second) == [kind.heard("hello"), kind.heard("b")])
                #expect(try receiver.hear(kind.wire("z")).last == kind.heard("z"))
            }
        }
    }

    @Test("taken inside a callback they are the rest of the input, and what came behind it", arguments: FramingKind.allCases)
    func takenInside(_ kind: FramingKind) throws {
        var taken: [UInt8] = []
        let receiver = try kind.receiver { receiver, frame in
            guard frame == "t" else { return }
            try receiver.feed("behind")
            #expect(receiver.unreadBytes == bytes(kind.wire("b", "c") + "parbehind"))
            taken = receiver.takeUnreadBytes()
            #expect(receiver.unreadBytes == [])
            #expect(receiver.takeUnreadBytes() == [])
            try receiver.feed(kind.wire("n"))
        }
        #expect(try receiver.hear(kind.wire("a", "t", "b", "c") + "par") == ["a", "t", "n"].map(kind.heard))
        #expect(taken == bytes(kind.wire("b", "c") + "parbehind"))
        #expect(try receiver.hear(kind.wire("d")).last == kind.heard("d"))
    }

    @Test("taken during a pause they are what it held back", arguments: FramingKind.allCases)
    func takenWhilePaused(_ kind: FramingKind) throws {
        let receiver = try kind.receiver { receiver, _ in receiver.pauseProducing() }
        try receiver.hear(chunks(of: kind.wire("a", "b") + "par", size: 3))
        #expect(receiver.unreadBytes == bytes(kind.wire("b") + "par"))
        #expect(receiver.takeUnreadBytes() == bytes(kind.wire("b") + "par"))
        try receiver.resumeProducing()
        #expect(receiver.heard == [kind.heard("a"), "pause", "resume"])
    }

    @Test("connectionLost finds the beginning of a frame that never ended", arguments: FramingKind.allCases)
    func whenLost(_ kind: FramingKind) throws {
        try eachCut(of: kind) { first, _, unread in
            for pieces in everySplit(of: first) {
                let receiver = try kind.receiver()
                try receiver.hear(pieces)
                receiver.wire.setState(.disconnected)
                receiver.onLoss()
                #expect(receiver.script.unreadAtTheEnd == unread)
            }
        }
    }

    @Test("input that breaks the rules closes the connection, and says in the reason how and where", arguments: FramingKind.allCases)
    func rejection(_ kind: FramingKind) throws {
        let input = kind.wire("hello", "") + kind.overlong + kind.wire("z")
        // The framer by itself knows where.
        var alone = kind.alone
        let expected = alone.events(in: input).last
        try expectAtEveryChunking(input, [kind.heard("hello"), kind.heard(""), "LOSE"]) {
            try kind.receiver()
        } atTheEnd: {
            #expect($0.wire.reason == .badInput)
            #expect("rejected at \($0.rejection?.offset ?? -1)" == expected)
            #expect($0.unreadBytes == [])
            #expect(!$0.hasMore)
        }
    }

    @Test("where it is, is right after a pause, after bytes were taken, and in bytes from a callback", arguments: FramingKind.allCases)
    func offset(_ kind: FramingKind) throws {
        let input = kind.wire("p", "t", "n") + kind.overlong
        for chunks in everySplit(of: input) {
            var alone = kind.alone
            let expected = alone.events(in: kind.wire("p", "t", "n", "n") + kind.overlong).last
            let receiver = try kind.receiver { receiver, frame in
                if frame == "p" { receiver.pauseProducing() }
                guard frame == "t" else { return }
                // What is taken and given back is counted twice: it is one stream more to the receiver.
                let taken = receiver.takeUnreadBytes()
                try receiver.feed(kind.wire("n"))
                try receiver.feed(text(taken.span))
                receiver.script.heard.append("taken \(taken.count)")
            }
            try receiver.hear(chunks)
            try receiver.resumeProducing()
            let taken = receiver.heard.compactMap { $0.hasPrefix("taken ") ? Int($0.dropFirst(6)) : nil }.first ?? 0
            let offset = (receiver.rejection?.offset ?? -1) - taken
            #expect("rejected at \(offset)" == expected, "in \(chunks.count) chunks")
        }
    }

    @Test("an override may say something first, and lets the connection close", arguments: FramingKind.allCases)
    func overrideThatSaysSomething(_ kind: FramingKind) throws {
        let input = kind.wire("a") + kind.overlong + kind.wire("z")
        try expectAtEveryChunking(input, [kind.heard("a"), "rejected", "write(sorry)", "LOSE"]) {
            try kind.receiver(
                Script(onFrame: { _, _ in }) { receiver, rejection in
                    receiver.transport.write("sorry")
                    receiver.transport.loseConnection(because: .badInput(rejection))
                })
        }
    }

    @Test("an override is called once, and nothing is delivered after it, even if it does not close", arguments: FramingKind.allCases)
    func overrideThatDoesNotClose(_ kind: FramingKind) throws {
        let input = kind.wire("a") + kind.overlong + kind.wire("z") + kind.overlong
        try expectAtEveryChunking(input, [kind.heard("a"), "rejected", "resume"]) {
            try kind.receiver(
                Script(onFrame: { _, _ in }) { receiver, _ in
                    // Nothing of what it may try brings the receiver back.
                    try receiver.feed(kind.wire("y"))
                    (receiver as? ScriptedLines)?.delimiter = ";"
                    try (receiver as? ScriptedLines)?.setLineMode(kind.wire("y"))
                })
        } atTheEnd: {
            try $0.resumeProducing()
            try $0.feed(kind.wire("x"))
            #expect($0.wire.state == .connected)
            #expect(!$0.hasMore)
        }
    }

    @Test("what an override throws is thrown on, once", arguments: FramingKind.allCases)
    func overrideThatThrows(_ kind: FramingKind) throws {
        struct Broken: Error {}
        let receiver = try kind.receiver(Script(onFrame: { _, _ in }) { _, _ in throw Broken() })
        #expect(throws: Broken.self) { try receiver.feed(kind.wire("a") + kind.overlong + kind.wire("z")) }
        try receiver.feed(kind.wire("x"))
        #expect(receiver.heard == [kind.heard("a"), "rejected"])
    }

    @Test("bytes put in front of others don't move the places that are told", arguments: ["\r\n", "<boundary>"] as [LineDelimiter])
    func offsetAfterPuttingBack(_ delimiter: LineDelimiter) throws {
        let end = text(delimiter.bytes.span)
        let receiver = try ScriptedLines(delimiter: delimiter)
        receiver.onTooLong = nil
        try receiver.hear("abc\(end)half")
        // Nine bytes that were collected are looked at once more, and end with the next delimiter.
        receiver.delimiter = receiver.delimiter
        receiver.delimiter = ";"
        try receiver.hear(";d;")
        try receiver.setLineMode()
        #expect(receiver.heard == ["line(abc)", "line(half)", "line(d)"])
        try receiver.hear("0123456789")
        #expect(receiver.rejection?.offset == 3 + end.utf8.count + 4 + 3 + 8)
    }

    @Test("bytes of one's own that are put in front come before what arrived at the same place")
    func offsetAfterExtraBytes() throws {
        let receiver = try ScriptedLines()
        receiver.onTooLong = nil
        try receiver.hear("abc\r\n")
        try receiver.setLineMode("E\r\n")
        try receiver.hear("0123456789")
        #expect(receiver.heard == ["line(abc)", "line(E)", "LOSE"])
        #expect(receiver.rejection?.offset == 5 + 8)
    }
}
