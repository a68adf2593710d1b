import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

/// Datagrams of one size to one address, which are sent in one piece: they arrive as those that were written, whatever is between them.
@Suite("UDP datagrams sent in runs", .nothingLivesOn)
struct DatagramRunTests {
    /// Writes datagrams to peers, and expects each peer to get its own in their order.
    private func expectToArrive(
        _ sizes: [Int], peers peerCount: Int = 1, host: String = "127.0.0.1", isConnected: Bool = false,
        sourceLocation: SourceLocation = #_sourceLocation, change: (UDPPort) -> Void = { _ in }
    ) throws {
        let peers = try (0..<peerCount).map { _ in try RawDatagramSocket(host: host) }
        let datagrams = sizes.enumerated().map { number, size in [UInt8](repeating: UInt8(truncatingIfNeeded: number + 1), count: size) }
        try withReactor(sourceLocation: sourceLocation) { reactor in
            let recorder = DatagramRecorder()
            let port = try reactor.listenUDP(port: 0, protocol: recorder, interface: host)
            change(try #require(port as? UDPPort))
            reactor.callWhenRunning { [unowned reactor] in
                if isConnected { try port.connect(to: peers[0].address) }
                for (number, datagram) in datagrams.enumerated() {
                    try port.write(datagram, to: peers[number % peerCount].address)
                }
                reactor.afterTurns(3) {
                    let statistics = port.statistics
                    #expect(statistics.sent == sizes.count, sourceLocation: sourceLocation)
                    #expect(statistics.bytesSent == sizes.reduce(0, +), sourceLocation: sourceLocation)
                    #expect(recorder.events == [.started], sourceLocation: sourceLocation)
                    reactor.stop()
                }
            }
        }
        for (index, peer) in peers.enumerated() {
            let expected = datagrams.indices.filter { $0 % peerCount == index }.map { datagrams[$0] }
            let received = try expected.map { _ in try peer.receive().bytes }
            #expect(received.map(\.count) == expected.map(\.count), sourceLocation: sourceLocation)
            #expect(received == expected, sourceLocation: sourceLocation)
            #expect(peer.isEmpty, sourceLocation: sourceLocation)
            peer.close()
        }
    }

    static let sizes: [[Int]] = [
        // Runs alone, and one that more follows.
        [Int](repeating: 64, count: 64), [Int](repeating: 1, count: 64), [Int](repeating: 1452, count: 60),
        [Int](repeating: 100, count: 130),
        // A last one that is shorter, and what is longer, shorter or empty in the middle.
        [64, 64, 64, 64, 10], [64, 64, 64, 64, 10, 64, 64, 64, 64], [64, 64, 64, 64, 65, 65, 65, 65, 65], [1, 2, 3, 4, 5, 4, 4, 4, 4],
        [64, 64, 64, 64, 0, 64, 64, 64, 64], [0, 0, 0, 0, 0, 0], [9, 9, 9], [9, 9, 9, 9],
        // Too long for a packet of most networks, and more than a run may have.
        [1453, 1453, 1453, 1453, 1453], [Int](repeating: 1400, count: 50), [5000, 5000, 5000, 5000],
    ]

    @Test(arguments: sizes) func theyArriveAsTheyWereWritten(sizes: [Int]) throws {
        try expectToArrive(sizes)
        try expectToArrive(sizes, isConnected: true)
        try expectToArrive(sizes, host: "::1")
    }

    @Test func eachGoesToItsOwnAddress() throws {
        try expectToArrive([Int](repeating: 64, count: 100), peers: 2)
        try expectToArrive([Int](repeating: 64, count: 99), peers: 3)
    }

    /// A system that can't cut what is longer than a packet says so, and no datagram is lost by it.
    @Test func whatTheSystemRefusesInOnePieceIsSentOneByOne() throws {
        // The packets of the loopback have 65536 bytes, which no run has, so a size of 0 stands for a system that refuses.
        try expectToArrive([Int](repeating: 64, count: 64)) { $0.runSizeMax = 0 }
    }

    #if os(Linux)
    @Test func aPortKnowsThatTheSystemCutsRuns() throws {
        let sizes = Shared<[Int]>([])
        try expectToArrive([Int](repeating: 64, count: 64)) { sizes.value.append($0.runSizeMax) }
        #expect(sizes.value == [1452])
    }
    #endif
}
