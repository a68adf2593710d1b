import Testing

@testable import Twill

@Suite("How a connection ends")
struct SocketTransportClosingTests {
    @Test func whatWasWrittenBeforeLosingTheConnectionArrives() throws {
        let pair = try withReactor { reactor in
            let pair = try Pair(reactor)
            pair.server.whenMade = {
                $0.transport.write("hello")
                $0.transport.loseConnection()
            }
            return pair
        }
        #expect(pair.client.events == [.made, .data("hello"), .lost(.done)])
        #expect(pair.server.events == [.made, .lost(.done)])
    }
}
