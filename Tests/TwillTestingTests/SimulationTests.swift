import Testing
import Twill

@testable import TwillTesting

/// A server that says every line to everybody, and gives up who is silent.
private final class Chat: Factory {
    var members: [Member] = []
    override func buildProtocol(_ address: Address) -> Twill::Protocol? { Member(self) }

    final class Member: LineReceiver {
        private let chat: Chat
        init(_ chat: Chat) {
            self.chat = chat
            super.init()
        }
        override func connectionMade() {
            chat.members.append(self)
            setTimeout(.seconds(120))
        }
        override func connectionLost(_ reason: ConnectionLost) { chat.members.removeAll { $0 === self } }
        override func lineReceived(_ line: Span<UInt8>) {
            resetTimeout()
            for member in chat.members { member.sendLine(line) }
        }
    }
}

/// Somebody who says a line every ten seconds, keeps what he hears, and comes back when he was lost.
private final class User: ReconnectingClientFactory {
    private let name: String
    private(set) var heard: [String] = []

    init(_ name: String) {
        self.name = name
        super.init()
    }

    override func buildProtocol(_ address: Address) -> Twill::Protocol? {
        resetDelay()
        return Voice(self)
    }

    final class Voice: LineReceiver {
        private let user: User
        init(_ user: User) {
            self.user = user
            super.init()
        }
        override func connectionMade() {
            setTimeout(.seconds(120))
            say(1)
        }
        private func say(_ number: Int) {
            sendLine("\(user.name) says \(number)")
            transport.callLater(.seconds(10)) { [unowned self] in say(number + 1) }
        }
        override func lineReceived(_ line: Span<UInt8>) {
            resetTimeout()
            user.heard.append(String(repairing: line))
        }
    }
}

@Suite("Simulations")
struct SimulationTests {
    /// Ten minutes of five people in a chat, over a network that a seed has made bad.
    private func chat(_ network: SimulatedNetwork) throws {
        network.faults = .swarm(seed: network.seed)
        try network.boot("server") { try $0.listenTCP(port: 1, factory: Chat()) }
        let users = (0..<5).map { User("user \($0)") }
        for (number, user) in users.enumerated() {
            try network.host("host \(number)").connectTCP(host: "server", port: 1, factory: user)
        }
        try network.run(for: .seconds(600))
        network.heal()
        let healed = users.map(\.heard.count)
        try network.run(for: .seconds(1_000))
        for (user, count) in zip(users, healed) {
            try network.expect(user.heard.count > count, "somebody hears nothing any more")
            try network.expect(user.heard.allSatisfy(isWhole), "a line was damaged: \(user.heard)")
            user.stopTrying()
        }
    }

    /// Whether a line is one that somebody has said.
    private func isWhole(_ line: String) -> Bool {
        let words = line.split(separator: " ", omittingEmptySubsequences: false)
        return words.count == 4 && words[0] == "user" && Int(words[1]) != nil && words[2] == "says" && Int(words[3]) != nil
    }

    @Test func aChatSurvivesASwarmOfFaults() throws {
        try Simulation.check(seeds: 5) { try chat($0) }
    }

    @Test func aSeedGivesTheSameTraceEachTime() throws {
        func digest(_ seed: UInt64) throws -> UInt64 {
            let network = SimulatedNetwork(seed: seed, logger: LogLines().logger)
            try chat(network)
            try network.stop()
            #expect(network.trace.count > 1_000)
            return network.trace.digest
        }
        let first = try digest(3)
        #expect(try digest(3) == first)
        #expect(try digest(4) != first)
    }

    /// The digest of a short run without timers of the user's, which is the same everywhere and for ever, unless the simulation is changed.
    @Test func theDigestIsTheSameOnEveryMachine() throws {
        let network = SimulatedNetwork(seed: 42)
        network.faults = .mild
        try network.host("a").listenTCP(port: 1, factory: Factory { AccumulatingProtocol() })
        let client = AccumulatingProtocol()
        try network.host("b").connectTCP(host: "a", port: 1, factory: ClientFactory { [weak client] (_: Address) in client })
        try network.run(for: .seconds(10))
        client.transport.write([UInt8](0..<200))
        try network.run(for: .seconds(10))
        try network.stop()
        #expect(network.trace.digest == 14_224_925_013_271_949_754)
    }

    // Planted mistakes, each of which the simulator must find.

    /// Takes what comes at once for a line.
    private final class Hasty: Twill::Protocol {
        override func dataReceived(_ data: Span<UInt8>) { transport.write("[\(String(repairing: data))]") }
    }

    private func ask(_ network: SimulatedNetwork, _ server: Factory, question: String) throws -> AccumulatingProtocol {
        try network.host("server").listenTCP(port: 1, factory: server)
        let client = AccumulatingProtocol()
        try network.host("client").connectTCP(host: "server", port: 1, factory: ClientFactory { [weak client] (_: Address) in client })
        try network.run(for: .seconds(60))
        client.transport.write(question)
        try network.run(for: .seconds(60))
        return client
    }

    @Test func aProtocolThatTakesEachReadForALineIsFoundAndReplayed() throws {
        func scene(_ network: SimulatedNetwork) throws {
            network.faults = .mild
            let client = try ask(network, Factory { Hasty() }, question: "question")
            try network.expect(client.text == "[question]", "the answer was \(client.text)")
        }
        let failure = try #require(throws: SimulationFailure.self) { try Simulation.check(seeds: 1_000, test: "found()", scene) }
        #expect(failure.faults.values.reduce(0, +) == 1, "one fault is enough")
        #expect(failure.replayLine == "TWILL_SIM=\(failure.run) swift test --filter found")
        #expect(failure.description.contains("bytes arrive"))
        #expect(failure.description.contains("the answer was ["))
        // What the line says does it again, event by event.
        let line = failure.replayLine.split(separator: " ")[0].dropFirst("TWILL_SIM=".count)
        let plan = try SeedPlan(seeds: 0, ["TWILL_SIM": String(line)])
        try plan.forEachRun { run in
            let network = SimulatedNetwork(seed: run.seed, run.faultSwitch, logger: LogLines().logger)
            #expect(throws: SimulationError.self) { try scene(network) }
            #expect(network.trace.text == failure.trace.text)
            #expect(network.trace.digest == failure.trace.digest)
            try network.stop()
        }
    }

    @Test func aClientThatNeverTimesOutIsFound() throws {
        final class Echo: Twill::Protocol {
            override func dataReceived(_ data: Span<UInt8>) {
                transport.write(data)
                transport.loseConnection()
            }
        }
        let failure = #expect(throws: SimulationFailure.self) {
            try Simulation.check(seeds: 1_000) { network in
                var plan = FaultPlan.none
                plan.vanishes = 20_000
                network.setFaults(plan, from: "server", to: "client")
                let client = try ask(network, Factory { Echo() }, question: "question")
                network.heal()
                try network.run(for: .seconds(3_600))
                try network.expect(client.wasLost, "the client waits for ever")
            }
        }
        #expect(failure?.trace.text.contains("vanishes") == true)
    }

    @Test func aClientThatComesBackTwiceIsFound() throws {
        /// Connects again on a loss, and once more when it has been lost for a while.
        final class Eager: ClientFactory {
            override func buildProtocol(_ address: Address) -> Twill::Protocol? { AccumulatingProtocol() }
            override func clientConnectionLost(_ connector: Connector, _ reason: ConnectionLost) throws {
                try connector.connect()
                let reactor = connector.reactor
                reactor.callLater(.seconds(1)) { [unowned reactor, weak self] in
                    if let self { try reactor.connectTCP(host: "server", port: 1, factory: self) }
                }
            }
        }
        final class Greeter: Twill::Protocol {
            override func connectionMade() { transport.write("welcome") }
        }
        #expect(throws: SimulationFailure.self) {
            try Simulation.check(seeds: 1_000) { network in
                var plan = FaultPlan.none
                plan.resets = 10_000
                network.setFaults(plan, from: "server", to: "client")
                let port = try network.host("server").listenTCP(port: 1, factory: Factory { Greeter() })
                try network.host("client").connectTCP(host: "server", port: 1, factory: Eager())
                try network.run(for: .seconds(60))
                network.heal()
                try network.run(for: .seconds(60))
                try network.expect(port.statistics.open <= 1, "\(port.statistics.open) connections of one client")
                network.host("server").stop()
                try network.run(for: .seconds(10))
            }
        }
    }

    @Test func aConnectionInAThousandThatIsNeverClosedIsFound() throws {
        final class Forgetful: Twill::Protocol {
            override func dataReceived(_ data: Span<UInt8>) {
                // Closes when it has heard all, which it never has where the connection is held up at the wrong moment.
                if data.count == 8 { transport.loseConnection() }
            }
        }
        #expect(throws: SimulationFailure.self) {
            try Simulation.check(seeds: 1_000) { network in
                var plan = FaultPlan.none
                plan.splits = 1_000
                network.setFaults(plan, from: "client", to: "server")
                let port = try network.host("server").listenTCP(port: 1, factory: Factory { Forgetful() })
                for _ in 0..<5 {
                    let client = AccumulatingProtocol()
                    try network.host("client").connectTCP(
                        host: "server", port: 1, factory: ClientFactory { [weak client] (_: Address) in client })
                    try network.run(for: .seconds(1))
                    client.transport.write("question")
                    try network.run(for: .seconds(1))
                }
                try network.expect(port.statistics.open == 0, network.leftovers.joined(separator: ", "))
            }
        }
    }

    @Test func whatNoRunMayDoIsNoted() {
        let world = SimulatedWorld(seed: 1)
        let link = world.wiring.link(from: "a", to: "b")
        let (socket, _) = SimulatedSocket.pair(in: world, from: .unknown, to: .unknown, over: link, back: link)
        func rules(_ callbacks: [ContractWatch.Callback?]) -> [String] {
            let before = world.violations.count
            var watch = ContractWatch()
            for callback in callbacks {
                if let callback { watch.begin(callback, on: socket) } else { watch.end() }
            }
            return Array(world.violations.dropFirst(before))
        }
        #expect(rules([.connectionMade, nil, .dataReceived, nil, .readConnectionLost, nil, .connectionLost, nil]).isEmpty)
        #expect(rules([.dataReceived, nil]) == ["a>b#1: dataReceived where connectionMade was not called"])
        #expect(rules([.connectionMade, nil, .connectionMade, nil]) == ["a>b#1: connectionMade where connectionMade was called"])
        #expect(rules([.connectionMade, .dataReceived]) == ["a>b#1: dataReceived inside another callback"])
        #expect(rules([.connectionMade, nil, .connectionLost, nil, .connectionLost]) == ["a>b#1: connectionLost after connectionLost"])
    }

    @Test func aProducerThatIsToldTheSameTwiceIsNoted() {
        let world = SimulatedWorld(seed: 1)
        let link = world.wiring.link(from: "a", to: "b")
        let (socket, _) = SimulatedSocket.pair(in: world, from: .unknown, to: .unknown, over: link, back: link)
        var watch = ContractWatch()
        watch.producerBegins()
        watch.producer(pauses: true, on: socket)
        watch.producer(pauses: false, on: socket)
        watch.producer(pauses: true, on: socket)
        watch.producerBegins()
        watch.producer(pauses: true, on: socket)
        #expect(world.violations.isEmpty)
        watch.producer(pauses: true, on: socket)
        watch.producer(pauses: false, on: socket)
        watch.producer(pauses: false, on: socket)
        #expect(world.violations == ["a>b#1: a producer was told to pause twice", "a>b#1: a producer was told to go on twice"])
    }

    @Test func aTimerThatIsLeftIsFound() throws {
        let failure = #expect(throws: SimulationFailure.self) {
            try Simulation.check(seeds: 1) { network in
                network.host("server").callLater(.seconds(3_600)) {}
                try network.run(for: .seconds(1))
            }
        }
        #expect(failure?.description.contains("left over at the end: server: 1 delayed calls") == true)
    }

    @Test func aConnectionThatIsLeftIsNamed() throws {
        let network = SimulatedNetwork()
        _ = try ask(network, Factory { AccumulatingProtocol() }, question: "")
        #expect(
            network.leftovers == [
                "client: a connection with 10.0.0.1:1", "server: the port 10.0.0.1:1", "server: a connection with 10.0.0.2:49153",
            ])
        try network.stop()
        #expect(network.leftovers.isEmpty)
        #expect(network.violations.isEmpty)
    }

    @Test func whatComesToRestIsQuietAndWhatDoesNotIsAnError() throws {
        let network = SimulatedNetwork()
        network.conditions = LinkConditions(bytesPerSecond: 1_000, segmentBytes: 100)
        let client = try ask(network, Factory { AccumulatingProtocol() }, question: "")
        #expect(network.isQuiet)
        client.transport.write([UInt8](repeating: 1, count: 10_000))
        #expect(throws: SimulationError.self) { try network.runUntilQuiet(within: .seconds(5)) }
        try network.runUntilQuiet(within: .seconds(6))
        try network.stop()
    }

    @Test func twoRunsThatDifferAreAnError() throws {
        var runs = 0
        let plan = try SeedPlan(seeds: 3, ["TWILL_SIM_CHECK": "1"])
        #expect(plan.runsTwice)
        #expect(throws: SimulationError.notTheSame(seed: 1)) {
            try Simulation.check(plan, test: "differs") { network in
                runs += 1
                for _ in 0..<runs { network.host("server").callLater(.zero) {} }
                try network.run(for: .zero)
            }
        }
        #expect(runs == 2)
    }

    @Test func theEnvironmentSaysWhichSeedsAreRun() throws {
        func runs(_ environment: [String: String]) throws -> [String] {
            var runs: [String] = []
            try SeedPlan(seeds: 3, environment).forEachRun { runs.append("\($0)") }
            return runs
        }
        #expect(try runs([:]) == ["seed=1", "seed=2", "seed=3"])
        #expect(try runs(["TWILL_SIM": "seed=77"]) == ["seed=77"])
        #expect(try runs(["TWILL_SIM": "seed=77,without=stalls+ends,faults=3"]) == ["seed=77,faults=3,without=ends+stalls"])
        #expect(try runs(["TWILL_SIM_SEEDS": "2"]) == ["seed=1", "seed=2"])
        #expect(try runs(["TWILL_SIM_SEEDS": "2", "TWILL_SIM_FROM": "9"]) == ["seed=9", "seed=10"])
        #expect(try runs(["TWILL_SIM_TIME": "0"]) == [])
    }

    @Test(arguments: [
        ("TWILL_SIM", "77", "TWILL_SIM=77 can't be read at '77': give seed=N"),
        ("TWILL_SIM", "seed=x", "at 'seed=x'"), ("TWILL_SIM", "faults=3", "at 'seed'"), ("TWILL_SIM", "seed=1,faults=-1", "at 'faults=-1'"),
        ("TWILL_SIM", "seed=1,without=rain", "at 'rain'"), ("TWILL_SIM", "seed=1,,", "at ''"), ("TWILL_SIM", "", "at ''"),
        ("TWILL_SIM_SEEDS", "many", "TWILL_SIM_SEEDS=many is no number from 0 on"),
        ("TWILL_SIM_TIME", "-1", "TWILL_SIM_TIME=-1 is no number"),
    ])
    func whatTheEnvironmentMustNotSayIsAnError(_ name: String, _ value: String, sentence: String) {
        let error = #expect(throws: SimulationError.self) { try SeedPlan(seeds: 3, [name: value]) }
        #expect(error?.description.contains(sentence) == true, "\(error.map { "\($0)" } ?? "nothing")")
    }
}
