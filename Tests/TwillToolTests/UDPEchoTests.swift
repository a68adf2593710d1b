import Testing
import Twill

@testable import TwillTool

/// Whom the UDP echo answers.
struct UDPEchoTests {
    /// Notes where is written to.
    private final class Destinations: DatagramTransport {
        private(set) var all: [Address] = []

        override func write(_ data: Span<UInt8>, to address: Address) { all.append(address) }
    }

    @Test func portsOfOtherSuchServersGetNoAnswer() throws {
        let echo = UDPEcho()
        let destinations = Destinations()
        try echo.makeConnection(destinations)
        let ports: [UInt16] = [0, 7, 19, 53, 123, 1023, 1024, 8007, 65_535]
        for port in ports {
            let datagram: [UInt8] = [1, 2, 3]
            let sender = try #require(Address(host: port % 2 == 0 ? "127.0.0.1" : "::1", port: port))
            try echo.datagramReceived(datagram.span, from: sender)
        }
        #expect(destinations.all.map(\.port) == [1024, 8007, 65_535])
        try echo.doStop()
    }
}
