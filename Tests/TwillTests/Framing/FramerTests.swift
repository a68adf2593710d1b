import CAllocationCounter
import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

/// What every framer promises, tried with each of them, without a receiver or a transport.
@Suite("Framer", .nothingLivesOn)
struct FramerTests {
    @Test(
        "the same stream gives the same frames and the same rejection however it is cut",
        arguments: FramerSample.wellFormed + FramerSample.rejected)
    func everyCut(_ sample: FramerSample) {
        for chunks in everySplit(of: sample.input) {
            var framer = sample.framer
            #expect(framer.events(in: chunks) == sample.expected, "in \(chunks.count) chunks")
        }
        for (first, second) in sample.cuts {
            var framer = sample.framer
            #expect(framer.events(in: [first, "", second]) == sample.expected, "cut at \(first.unicodeScalars.count)")
        }
    }

    @Test(
        "forEachFrame calls with the same frames, and throws the same rejection", arguments: FramerSample.wellFormed + FramerSample.rejected
    )
    func forEachFrame(_ sample: FramerSample) {
        for chunks in everySplit(of: sample.input) {
            var framer = sample.framer
            var events: [String] = []
            do {
                for chunk in chunks {
                    try lend(chunk) { input in
                        try framer.forEachFrame(in: input) { events.append("frame(\(text($0)))") }
                    }
                }
            } catch {
                events.append("rejected at \((error as? Rejection)?.offset ?? -1)")
            }
            #expect(events == sample.expected.filter { !$0.hasPrefix("skipped") }, "in \(chunks.count) chunks")
        }
    }

    @Test("the bytes of an unfinished frame are those of the wire, and are counted without a copy", arguments: FramerSample.wellFormed)
    func unfinishedBytes(_ sample: FramerSample) {
        for (first, _) in sample.cuts {
            for chunks in everySplit(of: first) {
                var framer = sample.framer
                let frames = framer.events(in: chunks)
                var consumed: [UInt8] = []
                for frame in frames { framer.encode(bytes(String(frame.dropFirst("frame(".count).dropLast())), into: &consumed) }
                #expect(consumed + framer.unfinishedBytes == bytes(first), "of \(first) in \(chunks.count) chunks")
                #expect(framer.unfinishedByteCount == framer.unfinishedBytes.count)
            }
        }
    }

    @Test("what one framer has taken in can be given to another, at any cut", arguments: FramerSample.wellFormed)
    func roundTrip(_ sample: FramerSample) {
        for (first, second) in sample.cuts {
            for chunks in everySplit(of: first) {
                var framer = sample.framer
                var fresh = sample.framer
                let before = framer.events(in: chunks)
                let unfinished = framer.takeUnfinishedBytes()
                #expect(framer.unfinishedByteCount == 0)
                #expect(framer.unfinishedBytes == [])
                let rest = text(unfinished.span) + second
                #expect(before + fresh.events(in: [rest]) == sample.expected, "cut at \(first.unicodeScalars.count)")
                #expect(before + framer.events(in: [rest]) == sample.expected, "and the one that gave them begins anew")
            }
        }
    }

    @Test(
        "a rejection stays until the framer is reset",
        arguments: FramerSample.rejected.filter { $0.expected.last?.hasPrefix("rejected") == true })
    func stickyRejection(_ sample: FramerSample) {
        for chunks in everySplit(of: sample.input) {
            var framer = sample.framer
            let events = framer.events(in: chunks)
            for more in ["", "\r\n", "1:a,", "\0\0\0\0"] { #expect(framer.events(in: more) == [events.last]) }
            #expect(framer.unfinishedByteCount == 0)
            #expect(framer.unfinishedBytes == [])
            _ = framer.takeUnfinishedBytes()
            #expect(framer.events(in: "\r\n") == [events.last], "taking what is unfinished is no reset")
            framer.reset()
            framer.streamOffset = 0
            #expect(framer.unfinishedByteCount == 0)
            #expect(framer.unfinishedBytes == [])
            #expect(framer.events(in: [sample.input]) == sample.expected)
        }
    }

    @Test("a reset forgets an unfinished frame", arguments: FramerSample.wellFormed + FramerSample.rejected)
    func reset(_ sample: FramerSample) {
        for (first, _) in sample.cuts {
            var framer = sample.framer
            _ = framer.events(in: chunks(of: first, size: 1))
            framer.reset()
            framer.streamOffset = 0
            #expect(framer.events(in: [sample.input]) == sample.expected)
        }
    }

    @Test("offsets count from where the stream is said to begin", arguments: FramerSample.rejected)
    func streamOffset(_ sample: FramerSample) {
        for chunks in everySplit(of: sample.input) {
            var framer = sample.framer
            framer.streamOffset = 1000
            let expected = sample.expected.map { event in
                let words = event.split(separator: " ")
                guard words.count == 3, words[1] == "at", let offset = Int(words[2]) else { return event }
                return "\(words[0]) at \(offset + 1000)"
            }
            #expect(framer.events(in: chunks) == expected)
        }
    }

    @Test("a frame inside one input is a range of it, and the position moves behind what belongs to it")
    func ranges() {
        func expect(_ framer: some Framer, _ input: String, _ range: Range<Int>, next: Int) {
            var framer = framer
            let input = bytes(input)
            var position = 2
            #expect(framer.next(in: input.span, at: &position) == .frame(range))
            #expect(position == next)
            #expect(framer.unfinishedByteCount == 0)
        }
        expect(LineFramer(), "\r\nab\r\ncd", 2..<4, next: 6)
        expect(LineFramer(delimiter: .any), "\r\nab\ncd", 2..<4, next: 5)
        expect(NetstringFramer(), ",,2:ab,1", 4..<6, next: 7)
        expect(LengthPrefixFramer(.uint16), "xx\0\u{2}abx", 4..<6, next: 6)
        expect(FixedSizeFramer(size: 3), "xxabcd", 2..<5, next: 5)
    }

    @Test("an announced size allocates nothing, however large it is", .enabled(if: twill_allocation_count() >= 0))
    func announcedSize() {
        func allocations(_ framer: some Framer, _ prefix: String) -> Int {
            var framer = framer
            let (prefix, part) = (bytes(prefix), bytes("0123456789"))
            var position = 0
            var partPosition = 0
            let start = twill_allocation_count()
            let first = framer.next(in: prefix.span, at: &position)
            let afterPrefix = twill_allocation_count() - start
            let second = framer.next(in: part.span, at: &partPosition)
            let afterPart = twill_allocation_count() - start
            #expect(first == .needsMore && second == .needsMore)
            #expect(framer.unfinishedByteCount == prefix.count + part.count)
            #expect(afterPart <= afterPrefix + 1, "one array for what has come")
            return afterPrefix
        }
        #expect(allocations(NetstringFramer(lengthMax: .max), "\(Int.max):") == 0)
        #expect(allocations(LengthPrefixFramer(.uint64, lengthMax: .max), "\u{7F}" + String(repeating: "\u{FF}", count: 7)) == 0)
        #expect(allocations(LengthPrefixFramer(.uint32, lengthMax: .max), "\u{FF}\u{FF}\u{FF}\u{FF}") == 0)
        #expect(allocations(FixedSizeFramer(size: .max), "") == 0)
    }

    @Test("after a closure that throws, what follows its frame in the input is lost, and what comes later is not")
    func throwingClosure() {
        struct Broken: Error {}
        var framer = LineFramer()
        var lines: [String] = []
        #expect(throws: Broken.self) {
            try lend("a\r\nb\r\nc\r\nd") { input in
                try framer.forEachFrame(in: input) { line in
                    lines.append(text(line))
                    if lines.count == 2 { throw Broken() }
                }
            }
        }
        #expect(framer.events(in: "e\r\n") == ["frame(e)"])
        #expect(lines == ["a", "b"])
    }
}
