import Foundation
import Logging
import Testing
import Twill
import TwillTesting

/// A client, a proxy and a server on real sockets of one reactor: the faults as the system shows them.
@Suite("A faulty proxy on real sockets")
struct FaultyProxySocketTests {
    private final class Scene {
        let reactor: LibeventReactor
        let proxy: FaultyProxy
        let server = AccumulatingProtocol()
        let client = AccumulatingProtocol()
        private(set) var events: [FaultyProxy.Event] = []
        private let targetPort: any ListeningPort

        init(change: (inout FaultPlan) -> Void = { _ in }) throws {
            var plan = FaultPlan.none
            change(&plan)
            reactor = try LibeventReactor(logger: Logger(label: "twill") { _ in SwiftLogNoOpLogHandler() })
            let (server, client) = (server, client)
            targetPort = try reactor.listenTCP(port: 0, factory: Factory { [weak server] (_: Address) in server }, interface: "127.0.0.1")
            proxy = FaultyProxy(
                reactor: reactor, listen: try serverFromString("tcp:127.0.0.1:0"),
                target: try clientFromString("tcp:127.0.0.1:\(targetPort.address.port ?? 0)"), plan: plan, seed: 1)
            proxy.whenFault = { [unowned self] in events.append($0) }
            let port = try proxy.start()
            try reactor.connectTCP(
                host: "127.0.0.1", port: Int(port.address.port ?? 0), factory: ClientFactory { [weak client] (_: Address) in client })
        }

        /// Runs until something holds; a failure after 20 seconds.
        func run(_ what: String, sourceLocation: SourceLocation = #_sourceLocation, until holds: @escaping () -> Bool) throws {
            let alarm = reactor.callLater(.seconds(20)) { [unowned self] in
                Issue.record("waited in vain until \(what)", sourceLocation: sourceLocation)
                reactor.crash()
            }
            defer { alarm.cancelIfActive() }
            look(holds)
            try reactor.run(installSignalHandlers: false)
        }

        private func look(_ holds: @escaping () -> Bool) {
            reactor.callLater(.milliseconds(1)) { [unowned self] in
                // The connections stay for the next part of the test.
                if holds() { reactor.crash() } else if reactor.isRunning { look(holds) }
            }
        }

        func connect() throws {
            try run("both are connected") { [self] in client.wasMade && server.wasMade }
        }

        func send(_ text: String) throws {
            client.transport.write(text)
            let before = server.data.count
            try run("\(text) arrives") { [self] in server.data.count == before + text.utf8.count }
        }

        func stop() throws {
            reactor.callWhenRunning { [unowned self] in reactor.stop() }
            try reactor.run(installSignalHandlers: false)
            #expect(proxy.statistics.open == 0)
        }
    }

    private static let always = 1_000_000

    @Test func aRefusalIsAReset() throws {
        let scene = try Scene { $0.refusals = Self.always }
        try scene.run("the client is reset") { scene.client.wasLost }
        #expect(scene.client.reason == .lost && !scene.server.wasMade)
        try scene.stop()
    }

    @Test func aHangEndsWhenNobodyHasAnsweredForLong() throws {
        let scene = try Scene { $0.hangs = Self.always }
        scene.proxy.vanishedMax = .milliseconds(80)
        try scene.run("it hangs") { scene.events.count == 1 && scene.client.wasMade }
        let start = scene.reactor.now
        scene.client.transport.write("anybody there?")
        try scene.run("it is given up") { scene.client.wasLost }
        #expect(start.duration(to: scene.reactor.now) >= .milliseconds(80))
        #expect(scene.client.reason == .lost && !scene.server.wasMade)
        try scene.stop()
    }

    @Test func aSlowConnectIsDialledLate() throws {
        let scene = try Scene {
            $0.slowConnects = Self.always
            $0.slownessMax = .milliseconds(100)
        }
        let start = scene.reactor.now
        try scene.connect()
        let delay = try #require(scene.events.first?.duration)
        #expect(start.duration(to: scene.reactor.now) >= delay)
        try scene.send("hello")
        try scene.stop()
    }

    @Test func anEarlyResetIsSeenByBoth() throws {
        let scene = try Scene { $0.earlyResets = Self.always }
        try scene.run("both are reset") { scene.client.wasLost && scene.server.wasLost }
        #expect(scene.client.reason == .lost && scene.server.reason == .lost)
        try scene.stop()
    }

    @Test func bytesAreReadOneByOne() throws {
        let scene = try Scene { $0.byteByByte = Self.always }
        try scene.connect()
        try scene.send("hello")
        #expect(scene.server.pieces == [1, 1, 1, 1, 1])
        try scene.stop()
    }

    @Test func piecesAreReadApart() throws {
        let scene = try Scene { $0.splits = Self.always }
        scene.proxy.segmentBytes = 8
        try scene.connect()
        try scene.send("question")
        #expect(scene.server.pieces.count == 2)
        try scene.stop()
    }

    @Test func aStallHoldsUp() throws {
        let scene = try Scene {
            $0.stalls = Self.always
            $0.slownessMax = .milliseconds(100)
        }
        try scene.connect()
        let start = scene.reactor.now
        try scene.send("hello")
        let delay = try #require(scene.events.first?.duration)
        #expect(start.duration(to: scene.reactor.now) >= delay)
        try scene.stop()
    }

    @Test(arguments: [FaultPlan.Ending.end, .reset, .vanish])
    func aCutComesBehindItsBytes(by ending: FaultPlan.Ending) throws {
        let scene = try Scene { $0.cut = FaultPlan.Cut(at: 17, by: ending) }
        scene.proxy.vanishedMax = .milliseconds(80)
        try scene.connect()
        scene.client.transport.write("01234567890123456789")
        try scene.run("seventeen bytes arrive") { scene.server.data.count == 17 }
        let start = scene.reactor.now
        if ending == .vanish { scene.server.transport.write("answer") }
        try scene.run("both are lost") { scene.client.wasLost && scene.server.wasLost }
        #expect(scene.server.text == "01234567890123456" && scene.client.data.isEmpty)
        #expect(scene.client.reason == (ending == .end ? .done : .lost))
        #expect(scene.server.reason == (ending == .end ? .done : .lost))
        if ending == .vanish { #expect(start.duration(to: scene.reactor.now) >= .milliseconds(80)) }
        try scene.stop()
    }

    @Test func manyBytesGoThroughPiecesWholeAndInBoundedMemory() throws {
        let scene = try Scene {
            $0.splits = 100_000
            $0.stalls = 5_000
            $0.slownessMax = .milliseconds(20)
        }
        scene.proxy.segmentBytes = 4096
        try scene.connect()
        let bytes = (0..<6_000_000).map { UInt8(truncatingIfNeeded: $0 % 251) }
        scene.client.transport.write(bytes)
        scene.client.transport.loseConnection()
        var most = 0
        let own = scene.client.transport
        try scene.run("all has arrived") {
            most = max(most, scene.reactor.statistics.connections.unsentBytes - own.bufferedByteCount)
            return scene.server.wasLost
        }
        #expect(scene.server.data == bytes)
        #expect(scene.server.reason == .done)
        #expect(most <= 512 << 10)
        #expect(scene.proxy.statistics.faults[.splits, default: 0] > 50)
        try scene.stop()
    }
}
