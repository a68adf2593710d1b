import Testing
import Twill

@testable import TwillTool

/// The bytes that a load sends.
struct LoadMessageTests {
    private static let sizes = [1, 2, 3, 4, 5, 11, 12, 13, 14, 64, 102, 103, 104, 105, 1000, 16_384, 16_386, 100_000, 1 << 20]

    @Test(arguments: sizes)
    func rawMessageHasExactlyTheSize(size: Int) {
        #expect(LoadMessage(framing: .raw, messageBytes: size, depth: 1).count == size)
    }

    @Test(arguments: sizes.filter { $0 >= 2 })
    func lineHasExactlyTheSizeAndOneDelimiter(size: Int) {
        let bytes = LoadMessage(framing: .line, messageBytes: size, depth: 1).bytes
        #expect(bytes.count == size)
        #expect(bytes.suffix(2) == [13, 10])
        #expect(!bytes.dropLast(2).contains { $0 == 13 || $0 == 10 })
    }

    @Test(arguments: sizes.filter { $0 >= 3 })
    func netstringIsWellFormedAndAsLongAsItCanBe(size: Int) throws {
        let bytes = LoadMessage(framing: .netstring, messageBytes: size, depth: 1).bytes
        let colon = try #require(bytes.firstIndex(of: UInt8(ascii: ":")))
        let digits = String(decoding: bytes[..<colon], as: UTF8.self)
        let length = try #require(Int(digits))
        #expect(String(length) == digits)
        #expect(bytes.count == digits.utf8.count + 1 + length + 1)
        #expect(bytes.last == UInt8(ascii: ","))
        // One byte more would be too long.
        #expect(bytes.count <= size)
        #expect(String(length + 1).utf8.count + 1 + length + 1 + 1 > size)
    }

    @Test(arguments: sizes.filter { $0 >= 4 })
    func int32StringHasExactlyTheSizeAndBeginsWithTheRestOfIt(size: Int) {
        let bytes = LoadMessage(framing: .int32, messageBytes: size, depth: 1).bytes
        #expect(bytes.count == size)
        #expect(bytes.prefix(4).reduce(0) { $0 << 8 | Int($1) } == size - 4)
    }

    @Test func netstringIsOneByteShorterOnlyWhereNoneHasTheSize() {
        // "9:123456789," has 12 bytes, "10:1234567890," has 14.
        #expect([11, 12, 13, 14].map { LoadMessage(framing: .netstring, messageBytes: $0, depth: 1).count } == [11, 12, 12, 14])
        #expect([103, 104, 105].map { LoadMessage(framing: .netstring, messageBytes: $0, depth: 1).count } == [103, 103, 105])
    }

    @Test(arguments: LoadFraming.allCases)
    func shiftedMessageDiffersFromItself(framing: LoadFraming) {
        for size in [16, 64, 1000] {
            let bytes = LoadMessage(framing: framing, messageBytes: size, depth: 1).bytes
            for shift in 1..<bytes.count {
                #expect(Array(bytes[shift...] + bytes[..<shift]) != bytes, "shifted by \(shift) of \(size)")
            }
        }
    }

    @Test(arguments: [(1, 1), (64, 1), (64, 32), (64, 5000), (16_384, 3), (1 << 20, 1), (1 << 20, 32)])
    func repeatedBytesAreWholeMessages(size: Int, depth: Int) {
        let message = LoadMessage(framing: .raw, messageBytes: size, depth: depth)
        #expect(!message.repeated.isEmpty && message.repeated.count % size == 0)
        #expect(message.repeated.count <= max(size, 256 << 10))
        #expect(message.repeated.indices.allSatisfy { message.repeated[$0] == message.bytes[$0 % size] })
    }

    @Test func largeMessageIsSharedAndSmallOneIsNot() {
        #expect(LoadMessage(framing: .raw, messageBytes: 64, depth: 32).shared == nil)
        #expect(LoadMessage(framing: .raw, messageBytes: 1 << 20, depth: 1).shared?.count == 1 << 20)
    }
}
