import Foundation
import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

/// Each test runs in a process of its own, so that the descriptors it counts are nobody else's.
@Suite("What is left after many outgoing connections", .nothingLivesOn)
struct OutgoingLeakTests {
    /// Who ends a connection, and how; sent as the connection's only byte.
    private enum Ending: UInt8, CaseIterable {
        case clientLoses, clientAborts, serverLoses, serverAborts

        func end(_ transport: Transport) {
            switch self {
            case .clientLoses, .serverLoses: transport.loseConnection()
            case .clientAborts, .serverAborts: transport.abortConnection()
            }
        }
    }

    /// Sends back the byte, or ends the connection as it asks for.
    private final class Server: Twill::Protocol {
        override func dataReceived(_ data: Span<UInt8>) {
            guard let ending = Ending(rawValue: data[0]), ending == .serverLoses || ending == .serverAborts else {
                return transport.write(data)
            }
            ending.end(transport)
        }
    }

    private final class Client: Twill::Protocol {
        private let ending: Ending

        init(_ ending: Ending) {
            self.ending = ending
        }

        override func connectionMade() { transport.write([ending.rawValue]) }

        override func dataReceived(_ data: Span<UInt8>) { ending.end(transport) }
    }

    /// Makes connections, each when one before it has ended, and stops the reactor after the last.
    private final class Churn: ClientFactory {
        private let count: Int
        private var begun = 0
        private var ended = 0
        private(set) var failures: [ConnectError] = []
        /// The most descriptors and live objects that there were at any hundredth end.
        private(set) var descriptorsMax = 0
        private(set) var objectsMax = 0
        /// What to do when the last has ended.
        var whenThrough: (() throws -> Void)?
        private let objects: LiveObjects

        init(count: Int, _ objects: LiveObjects) {
            self.count = count
            self.objects = objects
            super.init()
        }

        func begin(_ attempt: () throws -> Void) rethrows {
            guard begun < count else { return }
            begun += 1
            try attempt()
        }

        override func buildProtocol(_ address: Address) -> Twill::Protocol? {
            Client(Ending.allCases[begun % Ending.allCases.count])
        }

        override func clientConnectionFailed(_ connector: Connector, _ reason: ConnectError) throws {
            failures.append(reason)
            try goOn(connector)
        }

        override func clientConnectionLost(_ connector: Connector, _ reason: ConnectionLost) throws {
            try goOn(connector)
        }

        private func goOn(_ connector: Connector) throws {
            ended += 1
            if ended % 100 == 0 {
                descriptorsMax = max(descriptorsMax, openDescriptorCount())
                objectsMax = max(objectsMax, objects.alive.values.reduce(0, +))
            }
            try begin { try connector.connect() }
            if ended == count { connector.reactor.afterTurns(5) { try self.whenThrough?() } }
        }
    }

    @Test func tenThousandConnectionsLeaveNothing() async {
        await #expect(processExitsWith: .success) {
            do {
                try Self.warmUp()
                try Self.makeConnections(10_000, atOnce: 250)
            } catch {
                Issue.record(error)
                exit(1)
            }
        }
    }

    /// What the process opens once, when it is first needed, is open after this.
    private static func warmUp() throws {
        let churn = Churn(count: 100, LiveObjects())
        try withReactor { reactor in
            let port = try reactor.listenTCP(port: 0, factory: Factory { Server() }, interface: "127.0.0.1").number
            churn.whenThrough = { [unowned reactor] in
                _ = openDescriptorCount()
                reactor.stop()
            }
            reactor.callWhenRunning { [unowned reactor] in
                for _ in 0..<10 { try churn.begin { try reactor.connectTCP(host: "127.0.0.1", port: port, factory: churn) } }
            }
        }
        churn.whenThrough = nil
    }

    private static func makeConnections(_ count: Int, atOnce: Int) throws {
        let objects = LiveObjects()
        try LiveObjects.$current.withValue(objects) {
            let before = openDescriptorCount()
            let (listening, through) = (Shared(0), Shared(0))
            let churn = Churn(count: count, objects)
            let statistics = Shared(ConnectionStatistics())
            try withReactor(deadline: .seconds(100)) { reactor in
                let port = try reactor.listenTCP(port: 0, factory: Factory { Server() }, interface: "127.0.0.1").number
                reactor.callWhenRunning { [unowned reactor] in
                    listening.value = openDescriptorCount()
                    for _ in 0..<atOnce { try churn.begin { try reactor.connectTCP(host: "127.0.0.1", port: port, factory: churn) } }
                }
                churn.whenThrough = { [unowned reactor] in
                    // One that lingers for its peer's last word takes a little longer.
                    reactor.when {
                        openDescriptorCount() <= listening.value
                    } then: { [unowned reactor] in
                        statistics.value = reactor.statistics.connections
                        through.value = openDescriptorCount()
                        reactor.stop()
                    }
                }
            }
            churn.whenThrough = nil
            try require(churn.failures.isEmpty, "failed: \(churn.failures)")
            let counts = statistics.value
            try require(counts.connected == count && counts.accepted == count, "\(counts)")
            try require(counts.open == 0 && counts.closed == 2 * count, "\(counts)")
            // Both ends of each are in this process, and went when it ended.
            let most = churn.descriptorsMax - listening.value
            try require(1...2 * atOnce ~= most, "\(most) descriptors at \(atOnce) connections")
            try require(churn.objectsMax <= 20 * atOnce, "\(churn.objectsMax) objects at \(atOnce) connections")
            try require(through.value == listening.value, "\(through.value) descriptors, \(listening.value) before")
            let after = openDescriptorCount()
            try require(after == before, "\(after) descriptors, \(before) before the reactor")
        }
        try require(objects.alive.isEmpty, "\(objects.alive)")
    }
}

/// How many descriptors this process has open, the one included that it takes to count them.
private func openDescriptorCount() -> Int {
    #if canImport(Darwin)
    let folder = "/dev/fd"
    #else
    let folder = "/proc/self/fd"
    #endif
    return (try? FileManager.default.contentsOfDirectory(atPath: folder).count) ?? -1
}
