import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

/// What only framers of strings and of fixed sizes do, one at a time.
@Suite("NetstringFramer, LengthPrefixFramer, FixedSizeFramer", .nothingLivesOn)
struct StringFramerTests {
    private static let prefixes: [LengthPrefix] = [
        .uint8, .uint16, .uint32, .uint64, .uint16(.littleEndian), .uint32(.littleEndian), .uint64(.littleEndian),
    ]

    @Test("a string of exactly the limit is a string, one byte more is not", arguments: [0, 1, 9, 10, 99, 100, 101])
    func limit(_ lengthMax: Int) {
        func expect(_ framer: some Framer) {
            for length in lengthMax...lengthMax + 1 {
                let string = String(repeating: "x", count: length)
                let expected = length == lengthMax ? "frame" : "rejected"
                var wire: [UInt8] = []
                framer.encode(bytes(string), into: &wire)
                for chunks in everySplit(of: text(wire.span)) {
                    var framer = framer
                    let events = framer.events(in: chunks)
                    #expect(events.count == 1)
                    #expect(events.first?.hasPrefix(expected) == true)
                }
            }
        }
        expect(NetstringFramer(lengthMax: lengthMax))
        for prefix in Self.prefixes { expect(LengthPrefixFramer(prefix, lengthMax: lengthMax)) }
    }

    @Test("the limit may change between two strings, and in the middle of one counts from the next")
    func limitChanges() {
        var netstrings = NetstringFramer(lengthMax: 3)
        #expect(netstrings.events(in: "3:ab") == [])
        netstrings.lengthMax = 1
        #expect(netstrings.events(in: "c,3") == ["frame(abc)", "rejected at 6"])
        var strings = LengthPrefixFramer(.uint8, lengthMax: 3)
        #expect(strings.events(in: "\u{3}ab") == [])
        strings.lengthMax = 1
        #expect(strings.events(in: "c\u{3}") == ["frame(abc)", "rejected at 4"])
        strings.reset()
        strings.lengthMax = 5
        #expect(strings.events(in: "\u{5}abcde") == ["frame(abcde)"])
    }

    @Test("a limit below 0 is as one of 0 for a length prefix, and takes nothing for netstrings")
    func negativeLimit() {
        var strings = LengthPrefixFramer(.uint8, lengthMax: -1)
        #expect(strings.events(in: "\0\u{1}a") == ["frame()", "rejected at 1"])
        var netstrings = NetstringFramer(lengthMax: -1)
        #expect(netstrings.events(in: "0:,") == ["rejected at 0"])
    }

    @Test(
        "a length is written in its order",
        arguments: zip(
            prefixes,
            [
                "\u{2}", "\0\u{2}", "\0\0\0\u{2}", "\0\0\0\0\0\0\0\u{2}", "\u{2}\0", "\u{2}\0\0\0", "\u{2}\0\0\0\0\0\0\0",
            ]))
    func byteOrder(_ prefix: LengthPrefix, _ expected: String) {
        var wire = bytes("before ")
        LengthPrefixFramer(prefix).encode(bytes("ab"), into: &wire)
        #expect(wire == bytes("before \(expected)ab"))
        #expect(prefix.byteCount == expected.utf8.count)
    }

    @Test("a length of several bytes that differ is read and written in its order", arguments: prefixes.filter { $0.byteCount > 1 })
    func bytesThatDiffer(_ prefix: LengthPrefix) {
        let string = String(repeating: "x", count: 0x0102)
        var wire: [UInt8] = []
        LengthPrefixFramer(prefix).encode(bytes(string), into: &wire)
        let significant = wire.prefix(prefix.byteCount).filter { $0 > 0 }
        let expected: [UInt8] = prefix.byteOrder == .bigEndian ? [1, 2] : [2, 1]
        #expect(significant == expected)
        for chunks in everySplit(of: text(wire.span)) {
            var framer = LengthPrefixFramer(prefix)
            #expect(framer.events(in: chunks) == ["frame(\(string))"])
        }
    }

    @Test("the greatest length of a prefix")
    func greatestLength() {
        #expect(LengthPrefix.uint8.lengthMax == 255)
        #expect(LengthPrefix.uint16.lengthMax == 65_535)
        #expect(LengthPrefix.uint32.lengthMax == 4_294_967_295)
        #expect(LengthPrefix.uint64.lengthMax == .max)
        #expect(LengthPrefix.uint16 == .uint16(.bigEndian))
        #expect(LengthPrefix.uint16 != .uint16(.littleEndian))
    }

    @Test("netstrings are written as the specification has it")
    func netstringEncoding() {
        var wire: [UInt8] = []
        NetstringFramer().encode(bytes("hello"), into: &wire)
        NetstringFramer().encode([], into: &wire)
        #expect(wire == bytes("5:hello,0:,"))
    }

    @Test("frames of a fixed size come as they fill", arguments: [1, 2, 3, 7, 188])
    func fixedSize(_ size: Int) {
        let stream = (0..<size * 4 + size / 2).map { UInt8(truncatingIfNeeded: $0) }
        let input = text(stream.span)
        let expected = (0..<4).map { "frame(\(text(Array(stream[size * $0..<size * ($0 + 1)]).span)))" }
        for chunks in everySplit(of: input) {
            var framer = FixedSizeFramer(size: size)
            #expect(framer.events(in: chunks) == expected)
            #expect(framer.unfinishedByteCount == size / 2)
            #expect(framer.streamOffset == input.unicodeScalars.count, "all of the inputs came before the next")
        }
    }

    @Test("a size below 1 is a mistake of the program's")
    func noSize() async {
        await #expect(processExitsWith: .failure) { _ = FixedSizeFramer(size: 0) }
    }

    @Test("an empty literal for a delimiter is a mistake of the program's")
    func emptyLiteral() async {
        await #expect(processExitsWith: .failure) { _ = "" as LineDelimiter }
        await #expect(processExitsWith: .failure) { _ = [] as LineDelimiter }
    }
}
