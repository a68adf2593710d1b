import Foundation
import Logging
import Testing
import Twill
import TwillTesting

/// A client, a proxy and a server on three hosts, in virtual time: what the faults do, and when.
@Suite("A faulty proxy in virtual time")
struct FaultyProxyTests {
    private final class HalfCloseable: AccumulatingProtocol, HalfCloseableProtocol {
        var inputHasEnded = false
        func readConnectionLost() { inputHasEnded = true }
        func writeConnectionLost() {}
    }

    private final class Scene {
        let network = SimulatedNetwork(logger: Logger(label: "twill") { _ in SwiftLogNoOpLogHandler() })
        let proxy: FaultyProxy
        let server = HalfCloseable()
        let client = HalfCloseable()
        var events: [FaultyProxy.Event] = []
        private let outcome: ClientFactory

        var proxyHost: SimulatedReactor { network.host("proxy") }
        var faults: [Fault] { events.map(\.fault) }

        /// - Parameter isConnected: whether both are to be connected when a second has passed.
        init(
            seed: UInt64 = 1, listens: Bool = true,
            change: (inout FaultPlan) -> Void = { _ in }, answers: FaultPlan? = nil
        ) throws {
            var plan = FaultPlan.none
            change(&plan)
            proxy = FaultyProxy(
                reactor: network.host("proxy"), listen: try serverFromString("tcp:7001"),
                target: try clientFromString("tcp:server:7000"),
                plan: plan, answers: answers, seed: seed)
            let (server, client) = (server, client)
            outcome = ClientFactory { [weak client] (_: Address) in client }
            if listens { try network.host("server").listenTCP(port: 7000, factory: Factory { [weak server] (_: Address) in server }) }
            try proxy.start()
            proxy.whenFault = { [unowned self] in events.append($0) }
            try network.host("client").connectTCP(host: "proxy", port: 7001, factory: outcome)
            try network.run(for: .seconds(1))
        }

        func send(_ text: String, wait: Duration = .seconds(60)) throws {
            client.transport.write(text)
            try network.run(for: wait)
        }

        /// Ends it; every connection and protocol goes.
        func stop() throws {
            try network.stop()
            #expect(proxy.statistics.open == 0)
            #expect(network.violations == [])
        }
    }

    private static let always = 1_000_000

    @Test func withoutFaultsItIsARelay() throws {
        let scene = try Scene()
        try scene.send("question", wait: .seconds(1))
        #expect(scene.server.text == "question")
        #expect(scene.server.pieces == [8])
        scene.client.transport.loseWriteConnection()
        try scene.network.run(for: .seconds(1))
        #expect(scene.server.inputHasEnded)
        #expect(!scene.server.wasLost && !scene.client.wasLost)
        scene.server.transport.write("answer")
        scene.server.transport.loseConnection()
        try scene.network.run(for: .seconds(1))
        #expect(scene.client.text == "answer")
        #expect(scene.client.reason == .done && scene.server.reason == .done)
        #expect("\(scene.proxy.statistics)" == "1 connection, 8 bytes to the server, 6 to clients; no faults")
        #expect(scene.events == [])
        try scene.stop()
    }

    @Test func aResetIsCarriedOver() throws {
        let scene = try Scene()
        scene.client.transport.abortConnection()
        try scene.network.run(for: .seconds(1))
        #expect(scene.server.reason == .lost)
        #expect(scene.proxy.statistics.open == 0)
        try scene.stop()
    }

    @Test func aReceiverThatIsSlowHoldsItsSenderBack() throws {
        let scene = try Scene()
        scene.server.transport.pauseProducing()
        scene.client.transport.write([UInt8](repeating: 1, count: 8 << 20))
        try scene.network.run(for: .seconds(10))
        #expect(scene.client.transport.bufferedByteCount > 6 << 20, "what is not read waits in the sender, not in the proxy")
        scene.server.transport.resumeProducing()
        try scene.network.run(for: .seconds(10))
        #expect(scene.server.data.count == 8 << 20)
        try scene.stop()
    }

    @Test func aTargetThatRefusesClosesTheClient() throws {
        let scene = try Scene(listens: false)
        #expect(scene.client.inputHasEnded || scene.client.wasLost)
        #expect(scene.proxy.statistics.unreachable == 1)
        #expect(scene.proxy.statistics.description.contains("1 without a target"))
        try scene.stop()
    }

    @Test func refusalsAreConnectionsThatAreResetAtOnce() throws {
        let scene = try Scene { $0.refusals = Self.always }
        #expect(scene.client.reason == .lost)
        #expect(!scene.server.wasMade, "the target is not dialled")
        #expect(scene.events.map(\.description) == ["#1: refused"])
        try scene.stop()
    }

    @Test func hangsAreSilent() throws {
        let scene = try Scene { $0.hangs = Self.always }
        #expect(scene.faults == [.hangs])
        try scene.network.run(for: .seconds(24 * 3600))
        #expect(scene.client.wasMade && !scene.client.wasLost, "nobody sends, and nobody hears")
        try scene.send("anybody there?", wait: .seconds(15 * 60 - 1))
        #expect(!scene.client.wasLost && !scene.server.wasMade)
        try scene.network.run(for: .seconds(2))
        #expect(scene.client.reason == .lost)
        #expect(scene.proxy.statistics.open == 0)
        try scene.stop()
    }

    @Test func slowConnectsAreDialledLateAndLoseNothing() throws {
        let scene = try Scene {
            $0.slowConnects = Self.always
            $0.slownessMax = .seconds(100)
        }
        #expect(scene.faults == [.slowConnects])
        let delay = try #require(scene.events.first?.duration)
        #expect(delay > .seconds(2))
        scene.client.transport.write("early")
        try scene.network.run(for: delay - .seconds(1.5))
        #expect(!scene.server.wasMade)
        try scene.network.run(for: .seconds(1))
        #expect(scene.server.text == "early")
        try scene.stop()
    }

    @Test func aLastWordDuringASlowConnectIsCarriedOver() throws {
        let scene = try Scene {
            $0.slowConnects = Self.always
            $0.slownessMax = .seconds(100)
        }
        scene.client.transport.loseWriteConnection()
        try scene.network.run(for: .seconds(101))
        #expect(scene.server.inputHasEnded && !scene.server.wasLost)
        scene.server.transport.write("answer")
        try scene.network.run(for: .seconds(1))
        #expect(scene.client.text == "answer")
        try scene.stop()
    }

    @Test func whoLeavesDuringASlowConnectIsNotDialledFor() throws {
        let scene = try Scene {
            $0.slowConnects = Self.always
            $0.slownessMax = .seconds(100)
        }
        scene.client.transport.abortConnection()
        try scene.network.run(for: .seconds(1))
        #expect(scene.proxyHost.delayedCalls.isEmpty)
        try scene.network.run(for: .seconds(200))
        #expect(!scene.server.wasMade)
        #expect(scene.proxy.statistics.open == 0)
        try scene.stop()
    }

    @Test func whoLeavesWhileTheTargetIsDialledTakesTheAttemptBack() throws {
        let scene = try Scene()
        scene.network.hold(from: "proxy", to: "server")
        let late = AccumulatingProtocol()
        try scene.network.host("client").connectTCP(
            host: "proxy", port: 7001, factory: ClientFactory { [weak late] (_: Address) in late })
        try scene.network.run(for: .seconds(1))
        #expect(late.wasMade && !scene.proxyHost.delayedCalls.isEmpty, "the attempt has a deadline")
        late.transport.abortConnection()
        try scene.network.run(for: .seconds(1))
        #expect(scene.proxyHost.delayedCalls.isEmpty && scene.proxy.statistics.open == 1)
        scene.network.release(from: "proxy", to: "server")
        try scene.stop()
    }

    @Test func eachDirectionHasChancesOfItsOwn() throws {
        let scene = try Scene { $0.splits = Self.always }
        scene.server.transport.write(String(repeating: "x", count: 2560))
        try scene.send(String(repeating: "x", count: 2560), wait: .seconds(1))
        let offsets = FaultyProxy.Direction.allCases.map { direction in
            scene.events.filter { $0.direction == direction }.map(\.offset)
        }
        #expect(offsets[0].count == 10 && offsets[1].count == 10)
        #expect(offsets[0] != offsets[1])
        try scene.stop()
    }

    @Test func earlyResetsComeWhenBothAreConnected() throws {
        let scene = try Scene { $0.earlyResets = Self.always }
        #expect(scene.client.reason == .lost && scene.server.reason == .lost)
        #expect(scene.server.wasMade && scene.server.data.isEmpty)
        #expect(scene.faults == [.earlyResets])
        try scene.stop()
    }

    @Test func bytesComeOneByOne() throws {
        let scene = try Scene { $0.byteByByte = Self.always }
        try scene.send("hello", wait: .seconds(1))
        #expect(scene.server.pieces == [1, 1, 1, 1, 1])
        #expect(scene.server.text == "hello")
        try scene.send(String(repeating: "x", count: 50_000), wait: .seconds(5))
        #expect(scene.server.data.count == 50_005)
        #expect(scene.server.pieces.count > 900, "many bytes come in about a thousand pieces")
        #expect(scene.events.map(\.description) == ["#1 client>server: byte by byte"])
        try scene.stop()
    }

    @Test func segmentsAreSplitAnywhere() throws {
        let scene = try Scene { $0.splits = Self.always }
        scene.proxy.segmentBytes = 5
        for _ in 0..<50 { try scene.send("hello", wait: .seconds(1)) }
        #expect(scene.server.data.count == 250)
        #expect(scene.server.pieces.count == 100)
        #expect(Set(scene.server.pieces) == [1, 2, 3, 4])
        #expect(scene.proxy.statistics.faults == [.splits: 50])
        try scene.stop()
    }

    @Test func whatIsSplitLeavesApart() throws {
        let scene = try Scene { $0.splits = Self.always }
        scene.proxy.segmentBytes = 5
        scene.proxy.pauseBetweenPieces = .seconds(1)
        try scene.send("hello", wait: .milliseconds(900))
        #expect(scene.server.pieces.count == 1 && scene.server.data.count < 5)
        try scene.network.run(for: .seconds(1))
        #expect(scene.server.text == "hello")
        try scene.stop()
    }

    @Test func whatIsHeldUpHoldsUpAllBehindItTheEndToo() throws {
        let scene = try Scene {
            $0.stalls = Self.always
            $0.slownessMax = .seconds(100)
        }
        scene.client.transport.write("question")
        scene.client.transport.loseWriteConnection()
        try scene.network.run(for: .milliseconds(10))
        let delay = try #require(scene.events.first?.duration)
        #expect(scene.faults == [.stalls] && delay > .seconds(2))
        try scene.network.run(for: delay - .milliseconds(20))
        #expect(scene.server.data.isEmpty && !scene.server.inputHasEnded)
        try scene.network.run(for: .milliseconds(100))
        #expect(scene.server.text == "question" && scene.server.inputHasEnded)
        try scene.stop()
    }

    @Test func whatAClosedConnectionHadSentArrivesBehindAStall() throws {
        let scene = try Scene(answers: FaultPlan.none)
        scene.server.transport.loseWriteConnection()
        try scene.network.run(for: .seconds(1))
        scene.proxy.plan.stalls = Self.always
        scene.client.transport.write("farewell")
        scene.client.transport.loseConnection()
        try scene.network.run(for: .milliseconds(10))
        #expect(scene.client.reason == .done && scene.faults == [.stalls])
        #expect(scene.server.data.isEmpty && !scene.server.wasLost)
        try scene.network.run(for: .seconds(11))
        #expect(scene.server.text == "farewell" && scene.server.reason == .done)
        try scene.stop()
    }

    @Test func aSenderIsHeldBackWhileItsBytesAreHeldUp() throws {
        let scene = try Scene {
            $0.stalls = Self.always
            $0.slownessMax = .seconds(3600)
        }
        scene.client.transport.write([UInt8](repeating: 1, count: 4 << 20))
        try scene.network.run(for: .milliseconds(200))
        #expect(scene.faults == [.stalls])
        #expect(scene.client.transport.bufferedByteCount > 3 << 20, "what is held up waits in the sender, not in the proxy")
        try scene.stop()
    }

    @Test(arguments: [FaultPlan.Ending.end, .reset, .vanish])
    func aConnectionEndsAtAnOffset(by ending: FaultPlan.Ending) throws {
        let scene = try Scene { $0.cut = FaultPlan.Cut(at: 17, by: ending) }
        scene.server.transport.write("an answer ")
        try scene.send("0123456789", wait: .seconds(1))
        #expect(scene.server.text == "0123456789" && scene.faults == [])
        try scene.send("0123456789", wait: .seconds(1))
        #expect(scene.server.text == "01234567890123456", "all before the cut arrives")
        #expect(scene.events.count == 1)
        #expect(scene.events.first?.fault == .cut && scene.events.first?.offset == 17 && scene.events.first?.ending == ending)
        switch ending {
        case .end:
            #expect(scene.server.inputHasEnded && scene.client.inputHasEnded)
            #expect(scene.server.reason == nil || scene.server.reason == .done)
        case .reset: #expect(scene.server.reason == .lost && scene.client.reason == .lost)
        case .vanish:
            scene.server.transport.write("answer")
            try scene.network.run(for: .seconds(600))
            #expect(!scene.server.wasLost && !scene.client.wasLost && scene.client.text == "an answer ")
            #expect(scene.proxy.statistics.open == 1)
            scene.client.transport.abortConnection()
            try scene.network.run(for: .seconds(200))
            #expect(!scene.server.wasLost, "the other one is not told")
            try scene.network.run(for: .seconds(200))
            #expect(scene.server.reason == .lost, "and kept for a quarter of an hour after the first byte that was sent in vain")
        }
        try scene.network.run(for: .seconds(10))
        #expect(ending == .end || scene.proxy.statistics.open == 0)
        try scene.stop()
    }

    @Test func whoSendsMuchToAVanishedPeerIsHeldBack() throws {
        let scene = try Scene { $0.cut = FaultPlan.Cut(at: 1, by: .vanish) }
        try scene.send("x", wait: .seconds(1))
        scene.client.transport.write([UInt8](repeating: 1, count: 8 << 20))
        try scene.network.run(for: .seconds(100))
        #expect(scene.client.transport.bufferedByteCount > 6 << 20)
        try scene.stop()
    }

    @Test func cutsAreThoseOfTheirDirection() throws {
        var answers = FaultPlan.none
        answers.cut = FaultPlan.Cut(at: 3, by: .reset)
        let scene = try Scene(answers: answers)
        try scene.send("question", wait: .seconds(1))
        #expect(scene.server.text == "question" && scene.events == [])
        scene.server.transport.write("answer")
        try scene.network.run(for: .seconds(1))
        #expect(scene.client.text == "ans" && scene.client.reason == .lost)
        #expect(scene.events.map(\.description) == ["#1 server>client: cut: reset after 3 bytes"])
        try scene.stop()
    }

    @Test func endingsHitSomeConnectionsAndWhatArrivedIsAPrefix() throws {
        var seen: Set<Fault?> = []
        let text = (0..<1000).map { "\($0) " }.joined()
        for seed in 1...40 as ClosedRange<UInt64> {
            let scene = try Scene(seed: seed) {
                $0.ends = 30_000
                $0.resets = 30_000
                $0.vanishes = 30_000
            }
            try scene.send(text, wait: .seconds(10))
            #expect(text.hasPrefix(scene.server.text))
            seen.insert(scene.faults.first)
            #expect(scene.faults.count <= 1)
            if let event = scene.events.first {
                #expect(scene.server.data.count == event.offset)
            } else {
                #expect(scene.server.text == text)
            }
            try scene.stop()
        }
        #expect(seen == [.ends, .resets, .vanishes, nil])
    }

    /// What happened to a connection whose bytes came in pieces of one size.
    private func run(seed: UInt64, pieceBytes: Int) throws -> [FaultyProxy.Event] {
        let scene = try Scene(seed: seed) {
            $0.splits = 300_000
            $0.stalls = 50_000
            $0.resets = 10_000
            $0.slownessMax = .milliseconds(50)
        }
        let bytes = [UInt8](repeating: 7, count: 20_000)
        for start in stride(from: 0, to: bytes.count, by: pieceBytes) {
            scene.client.transport.write(Array(bytes[start..<min(bytes.count, start + pieceBytes)]))
            try scene.network.run(for: .milliseconds(100))
        }
        try scene.network.run(for: .seconds(60))
        try scene.stop()
        return scene.events
    }

    @Test func theSameSeedDoesTheSameToTheSameBytesHoweverTheyCome() throws {
        var runs: Set<[FaultyProxy.Event]> = []
        for seed in 1...5 as ClosedRange<UInt64> {
            let events = try run(seed: seed, pieceBytes: 20_000)
            #expect(events.count > 3)
            #expect(try run(seed: seed, pieceBytes: 777) == events)
            #expect(try run(seed: seed, pieceBytes: 256) == events)
            runs.insert(events)
        }
        #expect(runs.count == 5, "another seed does something else")
    }

    @Test func unixSocketsAreRelayedToo() throws {
        let network = SimulatedNetwork()
        let host = network.host("here")
        let (server, client) = (AccumulatingProtocol(), AccumulatingProtocol())
        var plan = FaultPlan.none
        plan.cut = FaultPlan.Cut(at: 3, by: .end)
        let proxy = FaultyProxy(
            reactor: host, listen: try serverFromString("unix:/proxy"), target: try clientFromString("unix:/server"), plan: plan, seed: 1)
        try host.listenUNIX(path: "/server", factory: Factory { [weak server] (_: Address) in server })
        try proxy.start()
        try host.connectUNIX(path: "/proxy", factory: ClientFactory { [weak client] (_: Address) in client })
        try network.run(for: .seconds(1))
        client.transport.write("hello")
        try network.run(for: .seconds(5))
        #expect(server.text == "hel" && server.reason == .done && client.reason == .done)
        try network.stop()
    }

    @Test func whatIsChangedHoldsForWhatComesThen() throws {
        let scene = try Scene { $0.splits = Self.always }
        scene.proxy.segmentBytes = 8
        try scene.send("question", wait: .seconds(1))
        #expect(scene.server.pieces.count == 2)
        scene.proxy.plan = .none
        try scene.send("question", wait: .seconds(1))
        #expect(scene.server.pieces.count == 3)
        #expect(scene.proxy.plan == .none && scene.proxy.answers == nil && scene.proxy.seed == 1)
        try scene.stop()
    }

    @Test func stoppingResetsWhatIsThereAndRefusesWhatComes() throws {
        let scene = try Scene { $0.hangs = 0 }
        scene.proxy.plan.hangs = Self.always
        let hanging = AccumulatingProtocol()
        let refused = AccumulatingProtocol()
        func connect(_ handler: AccumulatingProtocol) throws {
            try scene.network.host("client").connectTCP(
                host: "proxy", port: 7001, factory: ClientFactory { [weak handler] (_: Address) in handler })
            try scene.network.run(for: .seconds(1))
        }
        try connect(hanging)
        #expect(scene.proxy.statistics.open == 2)
        scene.proxy.stop()
        try scene.network.run(for: .seconds(1))
        #expect(scene.client.reason == .lost && scene.server.reason == .lost && hanging.reason == .lost)
        #expect(scene.proxy.statistics.open == 0 && scene.proxy.port == nil)
        try connect(refused)
        #expect(!refused.wasMade)
        scene.proxy.plan = .none
        try scene.proxy.start()
        #expect(try scene.proxy.start() === scene.proxy.port)
        try connect(refused)
        #expect(refused.wasMade && scene.proxy.statistics.connections == 3)
        try scene.stop()
    }
}
