import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

@Suite("Factories", .nothingLivesOn)
struct FactoryTests {
    private struct Refusal: Error {}

    private let peer = Address.ipv4(IPv4Address(bits: 0x7F00_0001, port: 1))

    @Test func aClosureMakesAProtocolForEachConnection() throws {
        let factory = Factory { Recorder() }
        let first = try factory.protocolForConnection(from: peer)
        let second = try factory.protocolForConnection(from: peer)
        #expect(first is Recorder)
        #expect(first !== second)
        #expect(first?.factory === factory)
    }

    @Test func aClosureThatLooksAtThePeerMayRefuseIt() throws {
        let factory = Factory { (address: Address) in address.host == "127.0.0.1" ? Recorder() : nil }
        #expect(try factory.protocolForConnection(from: peer) != nil)
        #expect(try factory.protocolForConnection(from: .unix("/tmp/a")) == nil)
    }

    @Test func aSubclassSharesItsStateWithItsProtocols() throws {
        final class Counting: Factory {
            var made = 0
            override func buildProtocol(_ address: Address) -> Twill::Protocol? {
                made += 1
                return Recorder()
            }
        }
        let factory = Counting()
        let handler = try factory.protocolForConnection(from: peer)
        #expect((handler?.factory as? Counting)?.made == 1)
    }

    @Test func aBareFactoryRefusesEverybody() throws {
        #expect(try Factory().protocolForConnection(from: peer) == nil)
    }

    @Test func aFactoryStartsWithItsFirstUserAndStopsAfterItsLast() throws {
        let factory = CountingFactory()
        try factory.doStart()
        try factory.doStart()
        #expect(factory.starts == 1)
        #expect(factory.userCount == 2)
        try factory.doStop()
        #expect(factory.stops == 0)
        try factory.doStop()
        #expect(factory.stops == 1)
        try factory.doStart()
        #expect(factory.starts == 2)
    }

    @Test func stoppingMoreOftenThanStartingIsIgnored() throws {
        let factory = CountingFactory()
        try factory.doStop()
        #expect(factory.stops == 0)
        #expect(factory.userCount == 0)
    }

    @Test func aFactoryWhoseStartThrowsStaysUnused() throws {
        final class Failing: Factory {
            override func startFactory() throws { throw Refusal() }
        }
        let factory = Failing()
        #expect(throws: Refusal.self) { try factory.doStart() }
        #expect(factory.userCount == 0)
    }

    @Test func aNoisyFactoryLogsItsStartAndStop() throws {
        let log = RecordedLog()
        let factory = CountingFactory()
        try factory.doStart(logger: log.logger)
        try factory.doStop(logger: log.logger)
        #expect(log.entries.isEmpty)
        factory.isNoisy = true
        try factory.doStart(logger: log.logger)
        try factory.doStop(logger: log.logger)
        #expect(log.entries == ["info: Starting factory CountingFactory", "info: Stopping factory CountingFactory"])
    }
}
