import TestSupport
import Testing

@testable import Twill

/// Random headers, compared with a reference that reads them in another way. A failing run names its seed.
@Suite("PROXY headers at random", .nothingLivesOn) struct ProxyPropertyTests {
    static let seeds = (0..<200).map { UInt64($0) &* 6151 &+ 3 }

    /// A header that is right, of any kind.
    private func header(using generator: inout SeededGenerator) -> [UInt8] {
        Bool.random(using: &generator) ? line(using: &generator) : binary(using: &generator)
    }

    private func line(using generator: inout SeededGenerator) -> [UInt8] {
        let ports = (0..<2).map { _ in Int.random(in: 0...65535, using: &generator) }
        switch Int.random(in: 0..<6, using: &generator) {
        case 0:
            let rest = (0..<Int.random(in: 0...91, using: &generator)).map { _ in UInt8.random(in: 0x20...0xFF, using: &generator) }
            return bytes("PROXY UNKNOWN") + (rest.isEmpty ? [] : [0x20] + rest) + [13, 10]
        case 1...2:
            let hosts = (0..<2).map { _ in IPv4Address(bits: UInt32(truncatingIfNeeded: generator.next()), port: 0).host }
            return bytes("PROXY TCP4 \(hosts[0]) \(hosts[1]) \(ports[0]) \(ports[1])\r\n")
        default:
            let hosts = (0..<2).map { _ in host(using: &generator) }
            return bytes("PROXY TCP6 \(hosts[0]) \(hosts[1]) \(ports[0]) \(ports[1])\r\n")
        }
    }

    /// An IPv6 address in one of the ways in which it may be written.
    private func host(using generator: inout SeededGenerator) -> String {
        // Many zeros, so that there is something to leave out.
        let groups = (0..<8).map { _ in
            Bool.random(using: &generator) ? 0 : UInt16.random(in: 0...UInt16.max, using: &generator)
        }
        let texts = groups.map { String($0, radix: 16, uppercase: Bool.random(using: &generator)) }
        guard Bool.random(using: &generator) else { return texts.joined(separator: ":") }
        let high = groups[..<4].reduce(UInt64(0)) { $0 << 16 | UInt64($1) }
        let low = groups[4...].reduce(UInt64(0)) { $0 << 16 | UInt64($1) }
        return IPv6Address(high: high, low: low, port: 0).host
    }

    private func binary(using generator: inout SeededGenerator) -> [UInt8] {
        func random(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) } }
        func path() -> String {
            let first = Bool.random(using: &generator) ? "" : "\0"
            return first + String(repeating: "p", count: Int.random(in: 0...107, using: &generator))
        }
        var header = BinaryHeader()
        let family = UInt8.random(in: 0...3, using: &generator)
        header.family = family == 0 ? 0 : family << 4 | UInt8.random(in: 1...2, using: &generator)
        header.addresses =
            switch family {
            case 0: []
            case 1: random(12)
            case 2: random(36)
            default: BinaryHeader.unix(path(), path())
            }
        for type: UInt8 in [0x01, 0x02, 0x04, 0x05, 0x20, 0x30, 0xEA, 0xF3] where Int.random(in: 0..<3, using: &generator) == 0 {
            let size = Int.random(in: 0...128, using: &generator)
            if type == 0x20 {
                header.tlvs += BinaryHeader.ssl(
                    client: random(1)[0], verify: UInt32(random(1)[0]),
                    [BinaryHeader.tlv(0x21, "TLSv1.3"), BinaryHeader.tlv(0x22, random(size / 2)), BinaryHeader.tlv(0x2F, random(2))])
            } else {
                header.tlvs += BinaryHeader.tlv(type, random(size))
            }
        }
        if Int.random(in: 0..<8, using: &generator) == 0 { header.versionAndCommand = 0x20 }
        return Bool.random(using: &generator) ? header.encodedWithChecksum : header.encoded
    }

    private func sizes(using generator: inout SeededGenerator) -> [Int] {
        (0..<300).map { _ in Int.random(in: 1...([1, 3, 40].randomElement(using: &generator) ?? 1), using: &generator) }
    }

    private func expectTheSameHoweverCut(_ stream: [UInt8], _ seed: UInt64, using generator: inout SeededGenerator) {
        let whole = proxyOutcome(of: stream)
        for sizes in [[1], sizes(using: &generator), sizes(using: &generator)] {
            var parser = ProxyHeaderParser()
            #expect(parser.outcome(of: stream, in: sizes) == whole, "seed \(seed)")
        }
        #expect(whole.asReference == ProxyReference(stream), "seed \(seed)")
    }

    @Test(arguments: seeds) func aHeaderIsTakenAsItWasWrittenHoweverItIsCut(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let header = header(using: &generator)
        let payload = (0..<Int.random(in: 0...40, using: &generator)).map { _ in UInt8.random(in: 0...255, using: &generator) }
        let outcome = proxyOutcome(of: header + payload)
        guard case .header(_, let count) = outcome else {
            Issue.record("seed \(seed): \(outcome)")
            return
        }
        #expect(count == header.count, "seed \(seed)")
        expectTheSameHoweverCut(header + payload, seed, using: &generator)
    }

    @Test(arguments: seeds) func aHeaderWithOneFlippedBitIsWhatTheReferenceSays(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let header = header(using: &generator)
        for _ in 0..<10 {
            var stream = header + bytes("some payload \r\n")
            stream[Int.random(in: 0..<header.count, using: &generator)] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
            expectTheSameHoweverCut(stream, seed, using: &generator)
        }
    }

    @Test(arguments: seeds.prefix(20)) func aChecksumTellsOfEveryFlippedBit(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var header = BinaryHeader()
        header.tlvs = BinaryHeader.tlv(0xE5, (0..<Int.random(in: 0...99, using: &generator)).map { _ in 0 })
        let whole = header.encodedWithChecksum
        let first = BinaryHeader.signature.count
        for offset in first..<whole.count {
            for bit in 0..<8 {
                var stream = whole
                stream[offset] ^= 1 << bit
                // LOCAL and half of a family make the rest of no interest, and a longer header does not end here; the type of the checksum may be lost.
                if case .header(let header, _) = proxyOutcome(of: stream) {
                    #expect(header.source == nil || header.checksum == nil, "seed \(seed), bit \(bit) of byte \(offset)")
                }
            }
        }
    }

    @Test(arguments: seeds) func anythingAtAllIsWhatTheReferenceSays(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        // Words that lines are made of, in any order.
        let words = ["PROXY", "TCP4", "TCP6", "UNKNOWN", "1.2.3.4", "::1", "80", "0", " ", " ", " ", "\r\n", "\r", "\n", "\t", "\0", "é"]
        for _ in 0..<20 {
            let text = (0..<Int.random(in: 0...9, using: &generator)).map { _ in words.randomElement(using: &generator) ?? "" }.joined()
            expectTheSameHoweverCut(bytes("PROXY ") + bytes(text), seed, using: &generator)
        }
    }
}
