import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

/// Twisted's receivers and Twill's of the same name, on the two ends of a connection: what either sends the other understands.
@Suite("Twisted's receivers and ours", .nothingLivesOn, .needsTwisted)
struct TwistedFramingTests {
    /// Who listens, and how Twisted's side writes.
    struct Setting: Sendable, CustomTestStringConvertible {
        let framing: SharedFraming
        let twistedListens: Bool
        /// Whether Twisted's side sends its stream in pieces of random sizes, instead of frame by frame.
        let isCut: Bool
        /// What the messages follow from.
        let ownSeed: UInt64
        let peersSeed: UInt64

        /// One side pushes and the other pulls, so that both kinds of producer send frames.
        var pushes: Bool { twistedListens }

        var testDescription: String {
            "\(framing.rawValue), \(twistedListens ? "Twisted listens" : "Twill listens"), \(isCut ? "cut anywhere" : "frame by frame")"
        }
    }

    static let messageCount = 10_000

    static let settings = SharedFraming.allCases.enumerated().flatMap { index, framing in
        (0..<4).map { variant in
            let seed = UInt64(index * 8 + variant * 2)
            return Setting(
                framing: framing, twistedListens: variant & 2 != 0, isCut: variant & 1 != 0, ownSeed: seed, peersSeed: seed + 1)
        }
    }

    @Test func theMessagesAreOfAllSizes() {
        var messages = RandomMessages(.lines, seed: 1)
        let lengths = (0..<Self.messageCount).map { _ in messages.next().count }
        #expect(lengths.allSatisfy { (0...100_000).contains($0) })
        for length in [0, 1, 16_384, 32_767, 65_535, 65_536, 65_537, 100_000] {
            #expect(lengths.count { $0 == length } >= 5, "\(length)")
        }
        for width in 0..<16 {
            #expect(lengths.contains { $0 >= 1 << width && $0 < 2 << width }, "\(1 << width)")
        }
        #expect(lengths.count { $0 < 100 } > Self.messageCount / 2)
        #expect(lengths.reduce(0, +) > 30_000_000)
        #expect(Set(SharedFraming.lines.pool).count == 256)
    }

    @Test(arguments: settings)
    func tenThousandRandomMessagesArriveInBothDirectionsAtOnce(setting: Setting) throws {
        let count = Self.messageCount
        let talk = RandomTalk(
            setting.framing, count: count, ownSeed: setting.ownSeed, peersSeed: setting.peersSeed, pushes: setting.pushes)
        let said = try converse(setting, count: count, with: talk)

        let seeds = "the seeds are \(setting.ownSeed) and \(setting.peersSeed)"
        #expect(talk.complaint == nil, "\(seeds)")
        #expect(talk.reason == .done, "\(seeds)")
        #expect(said == ["agreed on \(count) messages of \(talk.sentBytes) bytes"], "\(seeds)")
        #expect(talk.receivedCount == count)
        #expect(talk.bufferedBytesMax <= WaterMarks().high + setting.framing.lengthMax + 16)
        // The peer reads nothing before it has sent a quarter, so that sending met a full socket while receiving went on. The shortest messages
        // fit into the system's buffers, all of them.
        guard setting.framing != .int8 else { return }
        #expect(talk.receivedMeanwhile > 0)
        #expect(talk.pauseCount > 0 || !setting.pushes)
    }

    /// Runs a conversation to the end of both sides; what Twisted's side said.
    private func converse(_ setting: Setting, count: Int, with talk: RandomTalk) throws -> [String] {
        let framing = setting.framing
        func peer(_ place: String) throws -> TwistedPeer {
            let numbers = [framing.lengthMax, count, Int(setting.peersSeed), Int(setting.ownSeed)].map { "\($0)" }
            return try TwistedPeer(["talk", place, framing.rawValue] + numbers + [setting.isCut ? "cut" : "whole"])
        }
        func receiver() -> Twill::Protocol { framing.makeReceiver(lengthMax: framing.lengthMax, owner: talk) }
        var options = TransportOptions()
        options.sendBufferBytes = 1 << 18
        options.receiveBufferBytes = 1 << 18

        return try withTwistedPeer { reactor in
            guard setting.twistedListens else {
                let port = try reactor.listenTCP(port: 0, factory: Factory { receiver() }, interface: "127.0.0.1", options: options)
                return try peer("\(port.number)")
            }
            let twisted = try peer("listen")
            try reactor.connectTCP(host: "127.0.0.1", port: twisted.port(), factory: ClientFactory { receiver() }, options: options)
            return twisted
        } until: {
            !talk.isOpen
        }
    }
}
