import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

@Suite("Listening", .nothingLivesOn)
struct SocketListenerTests {
    private struct Refusal: Error {}

    /// Says hello to each connection and closes it.
    private func greeting() -> Factory {
        Factory { () -> Recorder in
            let server = Recorder()
            server.whenMade = {
                $0.transport.write("hello")
                $0.transport.loseConnection()
            }
            return server
        }
    }

    @Test func portZeroTakesAFreePortAndTellsWhich() throws {
        let reactor = try LibeventReactor()
        let first = try reactor.listenTCP(port: 0, factory: Factory { Recorder() }, interface: "127.0.0.1")
        let second = try reactor.listenTCP(port: 0, factory: Factory { Recorder() }, interface: "127.0.0.1")
        #expect(first.number > 0)
        #expect(first.number != second.number)
        #expect(first.address.host == "127.0.0.1")
        #expect(first.isListening)
        first.stopListening()
        second.stopListening()
        #expect(!first.isListening)
    }

    @Test(arguments: [("127.0.0.1", "127.0.0.1", "127.0.0.1"), ("::1", "::1", "::1"), ("", "127.0.0.1", "127.0.0.1"), ("", "::1", "::1")])
    func clientsReachTheInterfaceThatWasAskedFor(interface: String, client: String, peer: String) throws {
        let seen = Shared("")
        try withReactor { reactor in
            let factory = Factory { (address: Address) -> Twill::Protocol? in
                seen.value = address.host
                let server = Recorder()
                server.whenMade = { $0.transport.loseConnection() }
                return server
            }
            let port = try reactor.listenTCP(port: 0, factory: factory, interface: interface).number
            reactor.runClient { _ = try RawSocket(connectedTo: port, host: client).receiveToEnd() }
        }
        // An IPv4 client of a port on all interfaces shows as IPv4.
        #expect(seen.value == peer)
    }

    @Test func aPortInUseIsNamedInTheError() throws {
        let reactor = try LibeventReactor()
        let port = try reactor.listenTCP(port: 0, factory: greeting(), interface: "127.0.0.1")
        defer { port.stopListening() }
        let error = #expect(throws: ListenError.self) {
            try reactor.listenTCP(port: port.number, factory: greeting(), interface: "127.0.0.1")
        }
        #expect(error == .addressInUse)
        #expect(error?.description.hasPrefix("Couldn't listen on 127.0.0.1:\(port.number): address already in use") == true)
        #expect(error?.underlying?.call == "bind" || error?.underlying?.call == "listen")
    }

    @Test(arguments: [("localhost", 0), ("999.1.1.1", 0), ("127.0.0.1", 65536), ("127.0.0.1", -1), ("", 65536), ("::1", Int.min)])
    func whatIsNoAddressOrNoPortIsRefused(interface: String, port: Int) throws {
        let reactor = try LibeventReactor()
        let error = #expect(throws: ListenError.self) { try reactor.listenTCP(port: port, factory: greeting(), interface: interface) }
        #expect(error == .badAddress)
        #expect(error?.description.contains("\(port)") == true)
    }

    @Test func anAddressOfNoInterfaceIsNotAvailable() throws {
        let reactor = try LibeventReactor()
        let error = #expect(throws: ListenError.self) { try reactor.listenTCP(port: 0, factory: greeting(), interface: "192.0.2.1") }
        #expect(error == .addressNotAvailable)
        #expect(error?.address == "192.0.2.1:0")
    }

    @Test func aSharedPortIsListenedOnTwice() throws {
        try withReactor { reactor in
            let first = try reactor.listenTCP(port: 0, factory: greeting(), interface: "127.0.0.1", reusePort: true)
            let second = try reactor.listenTCP(port: first.number, factory: greeting(), interface: "127.0.0.1", reusePort: true)
            #expect(first.address == second.address)
            let port = first.number
            reactor.runClient {
                for _ in 0..<20 { try #require(RawSocket(connectedTo: port).receiveToEnd() == Array("hello".utf8)) }
            }
        }
    }

    @Test func aFactoryThatWillNotStartLeavesThePortFree() throws {
        final class Failing: Factory {
            override func startFactory() throws { throw Refusal() }
        }
        let reactor = try LibeventReactor()
        let port = try reactor.listenTCP(port: 0, factory: greeting(), interface: "127.0.0.1")
        let number = port.number
        port.stopListening()
        #expect(throws: Refusal.self) { try reactor.listenTCP(port: number, factory: Failing(), interface: "127.0.0.1") }
        let again = try reactor.listenTCP(port: number, factory: greeting(), interface: "127.0.0.1")
        again.stopListening()
    }

    @Test func aStoppedReactorsPortsAreFree() throws {
        let reactor = try LibeventReactor()
        let port = try reactor.listenTCP(port: 0, factory: greeting(), interface: "127.0.0.1")
        reactor.stop()
        try reactor.runToStop()
        #expect(!port.isListening)
        let again = try reactor.listenTCP(port: port.number, factory: greeting(), interface: "127.0.0.1")
        again.stopListening()
    }
}
