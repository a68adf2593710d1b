/// Compares what arrives on one connection with what must arrive: the message, as often as it was sent. It knows nothing of sockets and time.
///
/// Invariant: `position < message.count`, and `position == 0` where nothing is outstanding.
struct ReplyChecker {
    /// What was wrong with a reply.
    enum Mistake: Equatable {
        /// Another byte stands there: the offset counts from the beginning of the reply, replies count from 1.
        case wrongByte(UInt8, expected: UInt8, offset: Int, reply: Int)
        /// More bytes came than were sent.
        case surplus(byteCount: Int)
    }

    /// What a piece of input turned out to be.
    enum Verdict: Equatable {
        /// As it should be; so many replies ended in it.
        case right(replies: Int)
        /// After this, nothing of the connection makes sense any more.
        case wrong(Mistake)
    }

    /// Where the reply that is arriving has got to.
    private(set) var position = 0
    /// How many messages were sent whose reply has not ended.
    private(set) var outstanding = 0
    private var repliesBefore = 0

    /// Notes that messages were sent.
    mutating func expect(_ count: Int) {
        outstanding += count
    }

    /// Looks at what arrived, in whatever pieces the network made of it.
    mutating func check(_ data: Span<UInt8>, against message: LoadMessage) -> Verdict {
        let expected = message.repeated.span
        let due = min(outstanding * message.count - position, data.count)
        var checked = 0
        var place = position
        while checked < due {
            let count = min(due - checked, expected.count - place)
            let piece = data.extracting(checked..<checked + count)
            if !isEqual(piece, expected.extracting(place..<place + count)) {
                return .wrong(mistake(in: piece, beginningAt: position + checked, message))
            }
            checked += count
            // What is compared with ends where a message ends, so that the next piece begins one.
            place = 0
        }
        guard due == data.count else { return .wrong(.surplus(byteCount: data.count - due)) }
        let (replies, rest) = (position + due).quotientAndRemainder(dividingBy: message.count)
        position = rest
        outstanding -= replies
        repliesBefore += replies
        return .right(replies: replies)
    }

    /// Names the first byte that differs, in a piece that begins so many bytes after the beginning of the reply that was arriving.
    private func mistake(in piece: Span<UInt8>, beginningAt start: Int, _ message: LoadMessage) -> Mistake {
        let expected = { (index: Int) in message.bytes[(start + index) % message.count] }
        let index = piece.indices.first { piece[$0] != expected($0) } ?? 0
        let (replies, offset) = (start + index).quotientAndRemainder(dividingBy: message.count)
        return .wrongByte(piece[index], expected: expected(index), offset: offset, reply: repliesBefore + replies + 1)
    }
}

/// Whether two spans of the same length hold the same bytes.
///
/// It looks at all of them without a branch, which the compiler turns into vector instructions.
@inline(__always)
private func isEqual(_ left: Span<UInt8>, _ right: Span<UInt8>) -> Bool {
    guard left.count == right.count else { return false }
    var difference: UInt8 = 0
    for index in left.indices {
        difference |= left[index] ^ right[index]
    }
    return difference == 0
}

extension ReplyChecker.Mistake: CustomStringConvertible {
    var description: String {
        switch self {
        case .wrongByte(let byte, let expected, let offset, let reply):
            "got byte \(hex(byte)) at offset \(offset) of reply \(reply) where \(hex(expected)) was expected"
        case .surplus(let byteCount):
            "got \(byteCount) \(byteCount == 1 ? "byte" : "bytes") more than it had sent"
        }
    }

    private func hex(_ byte: UInt8) -> String {
        "0x\(byte < 16 ? "0" : "")\(String(byte, radix: 16, uppercase: true))"
    }
}
