import Testing

@testable import Twill

/// Corners of framing that random streams led to.
@Suite(.nothingLivesOn) struct FramerEdgeTests {
    private func frames(of framer: some Framer, in chunks: [String]) throws -> [String] {
        var framer = framer
        var frames: [String] = []
        for chunk in chunks {
            let input = bytes(chunk)
            try framer.forEachFrame(in: input.span) { frames.append(text($0)) }
        }
        return frames
    }

    @Test func theGreatestNumberIsALimitToo() throws {
        #expect(try frames(of: LineFramer(lengthMax: .max), in: ["a", "b\r\n"]) == ["ab"])
        var netstrings = NetstringFramer(lengthMax: .max)
        let input = bytes("\(Int.max):ab")
        try netstrings.forEachFrame(in: input.span) { _ in }
        #expect(netstrings.unfinishedBytes == input)
    }
}
