import Testing

@testable import Twill
@testable import TwillTLS

@Suite(.nothingLivesOn) struct TLSConnectionTests {
    @Test func aConversationIsEncryptedAndClosedInGoodOrder() throws {
        let (server, client) = (Recorder(), Recorder())
        server.whenData = { $0.transport.write("you said: \($0.text)") }
        client.whenMade = { $0.transport.write("hello") }
        client.whenData = { $0.transport.loseConnection() }
        let pair = try TLSPair(server: server, client: client)
        #expect(server.events == [.made, .data("hello"), .lost(.done)])
        #expect(client.events == [.made, .data("you said: hello"), .lost(.done)])
        #expect(pair.log.entries == [])
    }
}
