import Testing
import Twill
import TwillTesting

/// The exported cases as those who bring a reactor use them. What Twill's own reactors do with them is tested beside these.
@Suite("Conformance, exported")
struct ReactorConformanceExportTests {
    @Test func everyPromiseHasANameOfItsOwn() {
        let names = ReactorConformance.all.map(\.name)
        #expect(Set(names).count == names.count)
        #expect(names.count > 140)
    }

    @Test func mostPromisesTellAStoryAndAllAreMeantForTCP() throws {
        let subject = ConformanceSubject(.tcp) { SimulatedReactor(logger: $0) }
        #expect(ReactorConformance.all.allSatisfy { $0.isMeant(for: subject) })
        let first = try #require(ReactorConformance.all.first { $0.name.hasPrefix("T01: what was written") })
        #expect(
            try first.run(on: subject) == [
                "server: is made", "server: is closed in good order", "client: is made", "client: received hello",
                "client: is closed in good order",
            ])
        let unix = ConformanceSubject(.unix) { SimulatedReactor(logger: $0) }
        #expect(ReactorConformance.all.contains { !$0.isMeant(for: unix) })
    }

    /// A reactor's connections with a fault in each.
    enum Breach: CaseIterable {
        case readsWhilePaused, writesAfterLosing, losesTwice, closesWithTheFirstHalf, dropsTheFarewell, forgetsTheLoss
    }

    @Test("a reactor that breaks the contract is found", arguments: Breach.allCases)
    func aBreachIsFound(_ breach: Breach) {
        let subject = ConformanceSubject(
            abilities: [.dialling, .names, .firstByte, .resets], makeReactor: { SimulatedReactor(logger: $0) },
            listen: { try $0.listenTCP(port: 0, factory: BreakingFactory(wrapping: $1, breach), interface: "127.0.0.1", options: $2) },
            connect: {
                try $0.connectTCP(
                    host: "127.0.0.1", port: Int($1.address.port ?? 0), factory: BreakingFactory(wrapping: $2, breach), options: $3)
            })
        var found: [ConformanceFailure] = []
        for promise in ReactorConformance.all where found.count < 3 {
            do {
                try promise.run(on: subject)
            } catch let failure as ConformanceFailure {
                found.append(failure)
            } catch {}
        }
        #expect(!found.isEmpty)
        if breach == .losesTwice {
            #expect(
                found.contains { $0.description.contains("no whole life") },
                "each connection's life is looked at, whatever the case is about")
        }
        #expect(found.allSatisfy { !$0.problems.isEmpty && $0.description.hasPrefix($0.promise) && $0.problems[0].contains(".swift:") })
    }
}

/// Puts a breach of the contract between each protocol and its connection.
private final class BreakingFactory: WrappingFactory {
    private let breach: ReactorConformanceExportTests.Breach

    init(wrapping wrapped: Factory, _ breach: ReactorConformanceExportTests.Breach) {
        self.breach = breach
        super.init(wrapping: wrapped)
    }

    override func wrap(_ handler: Twill::Protocol) -> ProtocolWrapper { Breaking(wrapping: handler, breach) }

    private final class Breaking: ProtocolWrapper {
        private let breach: ReactorConformanceExportTests.Breach

        init(wrapping wrapped: Twill::Protocol, _ breach: ReactorConformanceExportTests.Breach) {
            self.breach = breach
            super.init(wrapping: wrapped)
        }

        override var halfCloseable: (any HalfCloseableProtocol)? { breach == .closesWithTheFirstHalf ? nil : super.halfCloseable }

        override func connectionMade() throws { try wrapped.makeConnection(BreakingTransport(over: transport, breach)) }

        override func connectionLost(_ reason: ConnectionLost) throws {
            if breach == .forgetsTheLoss { return }
            try super.connectionLost(reason)
            if breach == .losesTwice { try super.connectionLost(reason) }
        }
    }

    private final class BreakingTransport: TransportWrapper {
        private let breach: ReactorConformanceExportTests.Breach

        init(over inner: Transport, _ breach: ReactorConformanceExportTests.Breach) {
            self.breach = breach
            super.init(over: inner)
        }

        override func pauseProducing() {
            if breach != .readsWhilePaused { super.pauseProducing() }
        }

        override func loseConnection() {
            switch breach {
            case .writesAfterLosing: inner.callLater(.zero) { [inner] in inner.loseConnection() }
            case .dropsTheFarewell: super.abortConnection()
            default: super.loseConnection()
            }
        }
    }
}
