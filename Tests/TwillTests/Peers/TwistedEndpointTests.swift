import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

/// The texts that name endpoints mean to Twisted what they mean to us: each side is told where by a text, and meets the other there.
@Suite("Twisted's endpoints and ours", .nothingLivesOn, .needsTwisted)
struct TwistedEndpointTests {
    /// Where one side listens and the other connects. What each is told is made of the port or the path that the place turned out to have.
    struct Place: Sendable, CustomTestStringConvertible {
        let server: @Sendable (_ path: String) -> String
        let client: @Sendable (_ place: String) -> String
        let isUNIX: Bool
        let testDescription: String

        private init(_ server: String, _ client: String, isUNIX: Bool) {
            self.server = { server.replacing("PATH", with: $0) }
            self.client = { client.replacing("PLACE", with: $0) }
            self.isUNIX = isUNIX
            testDescription = "\(server) and \(client)"
        }

        static func tcp(_ server: String, _ client: String) -> Place { Place(server, client, isUNIX: false) }
        static func unix(_ server: String, _ client: String) -> Place { Place(server, client, isUNIX: true) }
    }

    // Both sides read all of these.
    static let places: [Place] = [
        .tcp("tcp:0:interface=127.0.0.1", "tcp:127.0.0.1:PLACE"),
        .tcp("tcp:port=0:interface=127.0.0.1:backlog=5", "tcp:host=localhost:port=PLACE:timeout=20:bindAddress=127.0.0.1"),
        .tcp(#"tcp:0:interface=\:\:1"#, #"tcp:\:\:1:PLACE"#),
        .tcp(#"tcp6:0:interface=\:\:1"#, #"tcp:host=\:\:1:port=PLACE"#),
        .unix("unix:PATH", "unix:PLACE"),
        .unix("unix:PATH:mode=600:lockfile=1", "unix:path=PLACE:timeout=20"),
        .unix("unix:address=PATH:backlog=5:lockfile=0", "unix:PLACE"),
        .unix(#"unix:PATH\:with\:colons"#, #"unix:PLACE\:with\:colons"#),
    ]

    private static let messageCount = 300

    /// Runs a conversation between our endpoint and Twisted's, of one text each, and expects both sides to agree.
    private func expectToMeet(_ place: Place, weListen: Bool, sourceLocation: SourceLocation = #_sourceLocation) throws {
        let talk = RandomTalk(.lines, count: Self.messageCount, ownSeed: 1, peersSeed: 2, pushes: true)
        func receiver() -> Twill::Protocol { SharedFraming.lines.makeReceiver(lengthMax: SharedFraming.lines.lengthMax, owner: talk) }
        func twisted(_ verb: String, _ endpoint: String) throws -> TwistedPeer {
            let numbers = [SharedFraming.lines.lengthMax, Self.messageCount, 2, 1].map { "\($0)" }
            return try TwistedPeer(["talk", "\(verb):\(endpoint)", "lines"] + numbers + ["whole"])
        }
        let path = temporarySocketPath()
        let said = try withTwistedPeer(sourceLocation: sourceLocation) { reactor in
            guard weListen else {
                let peer = try twisted("listen", place.server(path))
                let port = try peer.port()
                let client = place.client(place.isUNIX ? path : "\(port)")
                try clientFromString(client).connect(ClientFactory { receiver() }, on: reactor)
                return peer
            }
            let port = try serverFromString(place.server(path)).listen(Factory { receiver() }, on: reactor)
            return try twisted("connect", place.client(place.isUNIX ? path : "\(port.number)"))
        } until: {
            !talk.isOpen
        }
        #expect(talk.complaint == nil, sourceLocation: sourceLocation)
        #expect(talk.reason == .done, sourceLocation: sourceLocation)
        #expect(talk.receivedCount == Self.messageCount, sourceLocation: sourceLocation)
        #expect(said == ["agreed on \(Self.messageCount) messages of \(talk.sentBytes) bytes"], sourceLocation: sourceLocation)
    }

    @Test(arguments: places) func twistedsClientReachesOurServer(place: Place) throws {
        try expectToMeet(place, weListen: true)
    }

    @Test(arguments: places) func ourClientReachesTwistedsServer(place: Place) throws {
        try expectToMeet(place, weListen: false)
    }
}
