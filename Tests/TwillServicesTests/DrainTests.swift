import Logging
import TestSupport
import Testing
import Twill
import TwillServices

/// Drains on the real reactor, where connections wait in the system and turns are what they are.
@Suite("A drain of many", .nothingLivesOn)
struct DrainTests {
    private final class Echo: LineReceiver {
        private let diary: Diary?

        init(_ diary: Diary? = nil) {
            self.diary = diary
            super.init(delimiter: .lf)
        }

        override func lineReceived(_ line: Span<UInt8>) { sendLine(line) }
        override func drainRequested(deadline: ReactorClock.Instant) { diary?.note("asked") }
    }

    private func serve(_ diary: Diary? = nil) throws -> (reactor: LibeventReactor, root: MultiService, port: Int) {
        let reactor = try LibeventReactor(logger: Logger(label: "quiet") { _ in SwiftLogNoOpLogHandler() })
        let root = MultiService(on: reactor)
        let server = try root.add(TCPServer(port: 0, factory: Factory { Echo(diary) }, interface: "127.0.0.1"))
        try root.start()
        return (reactor, root, try #require(server.address?.port.map(Int.init)))
    }

    @Test func whoWaitsInTheQueueIsServedBeforeThePortCloses() throws {
        let (reactor, root, port) = try serve()
        var clients: [LineClient] = []
        reactor.callWhenRunning {
            // More than are accepted on one turn, and none of them is yet.
            clients = try (0..<200).map { _ in try LineClient(port: port) }
            for client in clients { client.send("hello") }
            root.drain(deadline: reactor.now.advanced(by: .seconds(30))).addBoth { _ in root.stop() }.addBoth { _ in reactor.stop() }
        }
        try reactor.run(installSignalHandlers: false)
        #expect(clients.count == 200)
        for client in clients { #expect(client.next() == "hello" && client.next() == nil) }
    }

    @Test func othersHaveTheirTurnsMeanwhile() throws {
        let diary = Diary()
        let (reactor, root, port) = try serve(diary)
        let clients = try (0..<600).map { _ in try LineClient(port: port) }
        for client in clients { client.send("hello") }
        var askedPerTurn: [Int] = []
        var isOver = false
        func lookAtEachTurn() {
            askedPerTurn.append(diary.take().count)
            if !isOver { reactor.callLater(.zero) { lookAtEachTurn() } }
        }
        func drainWhenAllAreThere() {
            guard root.services.compactMap({ ($0 as? TCPServer)?.connectionCount }) == [600],
                reactor.statistics.connections.bytesReceived == 3600
            else {
                reactor.callLater(.milliseconds(1)) { drainWhenAllAreThere() }
                return
            }
            lookAtEachTurn()
            root.drain(deadline: reactor.now.advanced(by: .seconds(30))).addBoth { _ in root.stop() }.addBoth { _ in
                isOver = true
                reactor.callLater(.milliseconds(1)) { reactor.stop() }
            }
        }
        reactor.callWhenRunning { drainWhenAllAreThere() }
        try reactor.run(installSignalHandlers: false)
        #expect(askedPerTurn.reduce(0, +) == 600 && askedPerTurn.allSatisfy { $0 <= 256 }, "\(askedPerTurn)")
        for client in clients { #expect(client.next() == "hello" && client.next() == nil) }
    }
}
