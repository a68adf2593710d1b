import Logging
import TestSupport
import Testing
import Twill

@testable import TwillServices

/// Sockets that somebody else has opened, in the hands of a reactor.
@Suite("A socket that was taken over", .nothingLivesOn)
struct TakenOverSocketTests {
    private final class Echo: DatagramProtocol {
        override func datagramReceived(_ data: Span<UInt8>, from sender: Address) throws { try transport.write(data, to: sender) }
    }

    private static let quiet = Logger(label: "quiet") { _ in SwiftLogNoOpLogHandler() }

    /// A copy of the socket of a UDP port on all interfaces, and its number.
    private func opened(joining group: String? = nil) throws -> (descriptor: CInt, port: Int) {
        let reactor = try LibeventReactor(logger: Self.quiet)
        let table = SocketTable()
        reactor.listeningSockets = table.source(for: .only)
        let transport = try reactor.listenUDP(port: 0, protocol: Echo())
        if let group { try transport.joinGroup(group, interface: "127.0.0.1") }
        let entry = try #require(table.entries.first)
        let copy = try #require(System.copy(entry.descriptor))
        reactor.discard()
        return (copy, try #require(entry.address.port.map(Int.init)))
    }

    private func takeOver(_ sockets: [CInt], port: Int) throws -> (reactor: LibeventReactor, transport: DatagramTransport) {
        let reactor = try LibeventReactor(logger: Self.quiet)
        let table = SocketTable(inherited: sockets.map { (place: " udp::\(port)#0", descriptor: $0) })
        reactor.listeningSockets = table.source(for: .only)
        let transport = try reactor.listenUDP(port: port, protocol: Echo())
        #expect(table.takeUnused().isEmpty)
        return (reactor, transport)
    }

    @Test func mayBeAMemberOfAGroupAlready() throws {
        let (descriptor, port) = try opened(joining: "239.7.7.7")
        let (reactor, transport) = try takeOver([descriptor], port: port)
        try transport.joinGroup("239.7.7.7", interface: "127.0.0.1")
        #expect(throws: DatagramError.self) { try transport.leaveGroup("239.7.7.8", interface: "127.0.0.1") }
        try transport.leaveGroup("239.7.7.7", interface: "127.0.0.1")
        reactor.discard()
    }

    @Test func isTakenOnceWhereItWasHandedOverTwice() throws {
        let (descriptor, port) = try opened()
        let copy = try #require(System.copy(descriptor))
        let (reactor, transport) = try takeOver([descriptor, copy], port: port)
        // The other one is closed; its number may be somebody else's by now.
        #expect(!System.isSame(copy, descriptor))
        #expect(transport.host.port == UInt16(port))
        reactor.discard()
    }

    @Test func isNoUDPPortWhereItIsAnotherKind() throws {
        let listening = try LibeventReactor(logger: Self.quiet)
        let table = SocketTable()
        listening.listeningSockets = table.source(for: .only)
        try listening.listenTCP(port: 0, factory: Factory { Protocol() })
        let copy = try #require(table.entries.first.flatMap { System.copy($0.descriptor) })
        let kept = try #require(System.copy(copy))
        defer { System.close(kept) }
        listening.discard()
        #expect(throws: ListenError.self) { try takeOver([copy], port: 9) }
        // It is closed; its number may be somebody else's by now.
        #expect(!System.isSame(copy, kept))
    }
}
