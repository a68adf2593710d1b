import TestSupport
import Testing

@testable import Twill

/// Section 1 of the catalogue of cases: raw bytes between lines, and pauses.
@Suite("LineReceiver, raw bytes and pauses", .nothingLivesOn)
struct LineReceiverModeTests {
    /// A receiver that goes raw on the line RAW.
    private func raw() throws -> ScriptedLines {
        try ScriptedLines { receiver, line in if line == "RAW" { receiver.setRawMode() } }
    }

    @Test("L17: the rest of the line's read is the first raw data") func rawRest() throws {
        #expect(try raw().hear("a\r\nRAW\r\nbin\r\nmore") == ["line(a)", "line(RAW)", "raw(bin\r\nmore)"])
    }

    @Test("L18: raw data comes as it arrives") func rawReads() throws {
        #expect(try raw().hear("RAW\r\n", "bin", "bin2") == ["line(RAW)", "raw(bin)", "raw(bin2)"])
    }

    @Test("L17, L18: at every chunking raw data is the same bytes") func rawBytes() throws {
        for chunks in everySplit(of: "a\r\nRAW\r\nbin\r\nmore") {
            let heard = try raw().hear(chunks)
            #expect(heard.prefix(2) == ["line(a)", "line(RAW)"])
            #expect(heard.dropFirst(2).map { $0.dropFirst(4).dropLast() }.joined() == "bin\r\nmore")
        }
    }

    @Test("L19: raw and line mode alternate within and across reads") func alternatingModes() throws {
        let receiver = try raw()
        var wanted = 5
        receiver.onRaw = { receiver, data in
            let taken = min(wanted, data.utf8.count)
            wanted -= taken
            guard wanted == 0 else { return }
            wanted = 5
            try receiver.setLineMode(text(Array(bytes(data).dropFirst(taken)).span))
        }
        let expected = [
            "line(RAW)", "raw(123)", "raw(45hello\r\nRAW\r\n12345x\r\n)", "line(hello)", "line(RAW)", "raw(12345x\r\n)", "line(x)",
        ]
        #expect(try receiver.hear("RAW\r\n123", "45hello\r\nRAW\r\n12345x\r\n") == expected)
    }

    @Test("L19: at every chunking the lines are the same") func alternatingModesAtEveryChunking() throws {
        for chunks in everySplit(of: "RAW\r\n12345hello\r\nRAW\r\n12\r\n5x\r\n") {
            let receiver = try raw()
            var wanted = 5
            receiver.onRaw = { receiver, data in
                let taken = min(wanted, bytes(data).count)
                wanted -= taken
                guard wanted == 0 else { return }
                wanted = 5
                try receiver.setLineMode(text(Array(bytes(data).dropFirst(taken)).span))
            }
            let heard = try receiver.hear(chunks)
            #expect(heard.filter { $0.hasPrefix("line") } == ["line(RAW)", "line(hello)", "line(RAW)", "line(x)"])
        }
    }

    @Test("L21: an empty read makes no raw callback") func emptyRawRead() throws {
        let receiver = try ScriptedLines { receiver, _ in receiver.setRawMode() }
        #expect(try receiver.hear("a\r\n", "", "z") == ["line(a)", "raw(z)"])
    }

    @Test("L22: pausing holds back the batch, and resuming reads on before delivering it") func pausedBatch() throws {
        let pausing = { try ScriptedLines { receiver, line in if line == "p" { receiver.pauseProducing() } } }
        let receiver = try pausing()
        #expect(try receiver.hear("a\r\np\r\nb\r\nc", "d\r\n") == ["line(a)", "line(p)", "pause"])
        try receiver.resumeProducing()
        let expected = ["line(a)", "line(p)", "pause", "resume", "line(b)", "line(cd)"]
        #expect(receiver.heard == expected)
        try expectAtEveryChunking("a\r\np\r\nb\r\ncd\r\n", expected, from: pausing) { try $0.resumeProducing() }
    }

    @Test("L23: a receiver that pauses on every line gets one for each resume") func onePerResume() throws {
        let expected = ["line(hello)", "pause", "resume", "line(world)", "pause", "resume"]
        try expectAtEveryChunking("hello\r\nworld\r\n", expected) {
            try ScriptedLines { receiver, _ in receiver.pauseProducing() }
        } atTheEnd: {
            try $0.resumeProducing()
            try $0.resumeProducing()
        }
    }

    @Test("L24: raw data is held back by a pause too") func pausedRawData() throws {
        try expectAtEveryChunking("a\r\nbin", ["line(a)", "pause", "resume", "raw(bin)"]) {
            try ScriptedLines { receiver, _ in
                receiver.pauseProducing()
                receiver.setRawMode()
            }
        } atTheEnd: {
            #expect($0.heard == ["line(a)", "pause"])
            try $0.resumeProducing()
        }
    }

    @Test("L25: pausing and resuming in one callback keeps the order and does not recurse") func pauseAndResume() throws {
        var depth = 0
        try expectAtEveryChunking("a\r\np\r\nb\r\nc\r\n", ["line(a)", "line(p)", "pause", "resume", "line(b)", "line(c)"]) {
            try ScriptedLines { receiver, line in
                depth += 1
                defer { depth -= 1 }
                #expect(depth == 1)
                guard line == "p" else { return }
                receiver.pauseProducing()
                try receiver.resumeProducing()
            }
        }
    }

    @Test("L28: line mode after loseConnection delivers nothing") func lineModeAfterLosing() throws {
        let receiver = try ScriptedLines { receiver, _ in receiver.setRawMode() }
        receiver.onRaw = { receiver, data in
            receiver.transport.loseConnection()
            try receiver.setLineMode(data)
        }
        #expect(try receiver.hear("a\r\nb\r\nc\r\nd\r\n") == ["line(a)", "raw(b\r\nc\r\nd\r\n)", "LOSE"])
        #expect(try receiver.hear("e\r\n").count == 3)
    }

    @Test("L42: extra bytes go in front of the unread input") func extraInFront() throws {
        try expectAtEveryChunking("a\r\nb\r\n", ["line(a)", "line(E)", "line(b)"]) {
            try ScriptedLines { receiver, line in if line == "a" { try receiver.setLineMode("E\r\n") } }
        }
    }

    @Test("L42: outside of a callback, too, where they are delivered at once") func extraOutside() throws {
        let receiver = try ScriptedLines()
        try receiver.setLineMode("E\r\nrest ")
        #expect(receiver.heard == ["line(E)"])
        #expect(try receiver.hear("b\r\n") == ["line(E)", "line(rest b)"])
    }

    @Test("L46: alternating modes thousands of times in one read needs no stack") func manyAlternations() throws {
        final class Alternating: LineReceiver {
            var lines = 0
            override func lineReceived(_ line: Span<UInt8>) {
                lines += 1
                setRawMode()
            }
            override func rawDataReceived(_ data: Span<UInt8>) throws {
                try setLineMode(data.extracting(1...))
            }
        }
        let receiver = Alternating(delimiter: [10])
        try receiver.feed("x\n" + String(repeating: "rx\n", count: 100_000))
        #expect(receiver.lines == 100_001)
        for chunks in everySplit(of: "x\n" + String(repeating: "rx\n", count: 100)) {
            let receiver = Alternating(delimiter: [10])
            for chunk in chunks { try receiver.feed(chunk) }
            #expect(receiver.lines == 101)
        }
    }

    @Test("raw mode in the middle of a line takes its beginning along") func rawInTheMiddleOfALine() throws {
        let receiver = try ScriptedLines()
        try receiver.feed("a\r\nhal")
        receiver.setRawMode()
        #expect(receiver.unreadBytes == bytes("hal"))
        #expect(receiver.unfinishedByteCount == 0)
        #expect(try receiver.hear("f") == ["line(a)", "raw(half)"])
        try receiver.setLineMode()
        #expect(try receiver.hear("b\r\n") == ["line(a)", "raw(half)", "line(b)"])
    }

    @Test("raw mode in the middle of a line that is skipped ends the skipping") func rawWhileSkipping() throws {
        let receiver = try ScriptedLines(overlong: .discard)
        receiver.onTooLong = { receiver, _ in receiver.setRawMode() }
        #expect(try receiver.hear("0123456789012", "raw") == ["exceeded(0123456789012)", "raw(raw)"])
        try receiver.setLineMode()
        #expect(try receiver.hear("b\r\n").last == "line(b)")
    }

    @Test("a connection that is lost during a pause leaves what the pause held back") func lostWhilePaused() throws {
        let receiver = try ScriptedLines { receiver, _ in receiver.pauseProducing() }
        try receiver.hear("a\r\nb\r\nha", "lf")
        receiver.wire.setState(.disconnected)
        receiver.connectionLost(.lost)
        #expect(receiver.script.unreadAtTheEnd == bytes("b\r\nhalf"))
        try receiver.resumeProducing()
        #expect(receiver.heard == ["line(a)", "pause", "resume"])
    }
}
