import Testing

@testable import TwillTool

/// Whether replies are what they must be, however the network cuts them.
struct ReplyCheckerTests {
    /// Sizes of pieces that input is cut into.
    private static let pieces = [1, 2, 3, 4, 5, 6, 7, 8, 9, 63, 64, 65, 100, 1000, 16_384, 100_000]

    private let message = LoadMessage(framing: .raw, messageBytes: 64, depth: 4)

    private func reply(_ count: Int) -> [UInt8] {
        Array(repeatElement(message.bytes, count: count).joined())
    }

    /// Feeds input in pieces; the replies that ended, and the first mistake.
    private func check(
        _ input: [UInt8], piecesOf size: Int, expecting count: Int, against message: LoadMessage? = nil
    ) -> (replies: Int, mistake: ReplyChecker.Mistake?, checker: ReplyChecker) {
        var checker = ReplyChecker()
        checker.expect(count)
        var replies = 0
        for start in stride(from: 0, to: input.count, by: size) {
            let piece = Array(input[start..<min(start + size, input.count)])
            switch checker.check(piece.span, against: message ?? self.message) {
            case .right(let ended): replies += ended
            case .wrong(let mistake): return (replies, mistake, checker)
            }
        }
        return (replies, nil, checker)
    }

    @Test(arguments: pieces)
    func rightRepliesAreCounted(size: Int) {
        let result = check(reply(1000), piecesOf: size, expecting: 1000)
        #expect(result.replies == 1000)
        #expect(result.mistake == nil)
        #expect(result.checker.outstanding == 0)
        #expect(result.checker.position == 0)
    }

    @Test(arguments: pieces)
    func messageLargerThanWhatIsComparedAtOnceIsChecked(size: Int) {
        let large = LoadMessage(framing: .raw, messageBytes: 300_000, depth: 2)
        let result = check(large.bytes + large.bytes, piecesOf: size, expecting: 2, against: large)
        #expect(result.replies == 2)
        #expect(result.mistake == nil)
    }

    @Test(arguments: pieces)
    func wrongByteIsFoundWhereverItIs(size: Int) {
        let right = reply(5)
        for position in right.indices {
            var wrong = right
            wrong[position] ^= 1
            let expected = ReplyChecker.Mistake.wrongByte(
                wrong[position], expected: right[position], offset: position % 64, reply: position / 64 + 1)
            #expect(check(wrong, piecesOf: size, expecting: 5).mistake == expected)
        }
    }

    @Test(arguments: LoadFraming.allCases)
    func wrongByteOfAnyFramingIsFound(framing: LoadFraming) {
        // What a framing puts around a string is compared like the string itself.
        let message = LoadMessage(framing: framing, messageBytes: 64, depth: 4)
        #expect(message.count == 64)
        for position in 0..<128 {
            var wrong = message.bytes + message.bytes
            wrong[position] ^= 1
            let expected = ReplyChecker.Mistake.wrongByte(
                wrong[position], expected: message.bytes[position % 64], offset: position % 64, reply: position / 64 + 1)
            #expect(check(wrong, piecesOf: 7, expecting: 2, against: message).mistake == expected)
        }
    }

    @Test(arguments: pieces)
    func replyWithoutOneByteIsFound(size: Int) {
        for position in 0..<64 {
            var short = reply(5)
            short.remove(at: position)
            #expect(check(short, piecesOf: size, expecting: 5).mistake != nil, "without byte \(position)")
        }
    }

    @Test(arguments: pieces)
    func missingEndOfTheLastReplyStaysOutstanding(size: Int) {
        let result = check(reply(5).dropLast(), piecesOf: size, expecting: 5)
        #expect(result.mistake == nil)
        #expect(result.replies == 4)
        #expect(result.checker.outstanding == 1)
        #expect(result.checker.position == 63)
    }

    @Test(arguments: pieces)
    func additionalByteInsideIsFound(size: Int) {
        for position in 0..<64 {
            var long = reply(5)
            // A copy of a byte beside it would be no difference.
            long.insert(long[position] ^ 0xFF, at: position)
            #expect(check(long, piecesOf: size, expecting: 5).mistake != nil, "with a byte before \(position)")
        }
    }

    @Test(arguments: pieces)
    func moreThanWasSentIsFound(size: Int) {
        let result = check(reply(5) + [message.bytes[0]], piecesOf: size, expecting: 5)
        #expect(result.mistake == .surplus(byteCount: 1))
    }

    @Test func bytesThatNobodyAskedForAreFound() {
        #expect(check(reply(1), piecesOf: 64, expecting: 0).mistake == .surplus(byteCount: 64))
    }

    @Test func mistakeOfALaterReplyIsNamedByItsNumber() {
        var checker = ReplyChecker()
        checker.expect(3)
        let first = reply(2)
        #expect(checker.check(first.span, against: message) == .right(replies: 2))
        var third = message.bytes
        third[17] = message.bytes[17] &+ 1
        let verdict = checker.check(third.span, against: message)
        #expect(verdict == .wrong(.wrongByte(third[17], expected: message.bytes[17], offset: 17, reply: 3)))
    }

    @Test func mistakesAreToldInWords() {
        let wrongByte = ReplyChecker.Mistake.wrongByte(0x41, expected: 0x0A, offset: 17, reply: 2)
        #expect(wrongByte.description == "got byte 0x41 at offset 17 of reply 2 where 0x0A was expected")
        #expect(ReplyChecker.Mistake.surplus(byteCount: 1).description == "got 1 byte more than it had sent")
        #expect(ReplyChecker.Mistake.surplus(byteCount: 20).description == "got 20 bytes more than it had sent")
    }
}
