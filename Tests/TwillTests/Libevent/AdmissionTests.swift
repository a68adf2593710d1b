import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

@Suite("How many connections a port lets in", .nothingLivesOn)
struct AdmissionTests {
    /// Greets, and echoes, so that a client knows whether it was let in.
    private final class Greeter: Protocol {
        override func connectionMade() { transport.write("hello") }
    }

    private func listen(
        _ reactor: LibeventReactor, connectionsMax: Int? = nil, factory: Factory = Factory { Greeter() }
    ) throws -> any ListeningPort {
        try reactor.listenTCP(port: 0, factory: factory, interface: "127.0.0.1", connectionsMax: connectionsMax)
    }

    @Test func aFullPortLeavesOthersWaitingUntilOneHasEnded() throws {
        let log = RecordedLog()
        let port = try withReactor(log: log) { reactor in
            let port = try listen(reactor, connectionsMax: 2)
            let number = port.number
            var most = 0
            reactor.callWhenRunning {
                func watch() {
                    most = max(most, port.statistics.open)
                    reactor.callLater(.milliseconds(1)) { [weak reactor] in if reactor != nil { watch() } }
                }
                watch()
            }
            reactor.inBackground {
                let first = try RawSocket(connectedTo: number)
                let second = try RawSocket(connectedTo: number)
                try #require(first.receiveText(5) == "hello")
                try #require(second.receiveText(5) == "hello")
                // The system connects it; nobody greets it yet.
                let third = try RawSocket(connectedTo: number)
                third.setPatience(.milliseconds(200))
                try #require(throws: CallFailure.self) { try third.receive() }
                first.close()
                third.setPatience(.seconds(20))
                try #require(third.receiveText(5) == "hello")
            } then: { [unowned reactor] in
                #expect(most == 2)
                for call in reactor.delayedCalls { try call.cancel() }
                reactor.stop()
            }
            return port
        }
        #expect(port.statistics.accepted == 3)
        #expect(log.count(containing: "is full with 2 connections, others must wait: raise the port's connectionsMax") == 1)
    }

    @Test func aReactorsLimitHoldsForAllItsPorts() throws {
        let log = RecordedLog()
        try withReactor(log: log) { reactor in
            reactor.connectionsMax = 1
            let ports = try (0..<2).map { _ in try listen(reactor).number }
            reactor.runClient {
                let first = try RawSocket(connectedTo: ports[0])
                try #require(first.receiveText(5) == "hello")
                let second = try RawSocket(connectedTo: ports[1])
                second.setPatience(.milliseconds(200))
                try #require(throws: CallFailure.self) { try second.receive() }
                first.close()
                second.setPatience(.seconds(20))
                try #require(second.receiveText(5) == "hello")
            }
        }
        // Each port says it once.
        #expect(log.count(containing: "raise the limit of descriptors (ulimit -n) or the reactor's connectionsMax") == 2)
    }

    @Test func theReactorKeepsATenthOfTheDescriptorsFree() throws {
        #expect(try LibeventReactor().connectionsMax == DescriptorLimit.current / 10 * 9)
    }

    @Test func aPausedPortAcceptsNobodyUntilItIsResumed() throws {
        try withReactor { reactor in
            let port = try listen(reactor)
            port.pauseAccepting()
            port.pauseAccepting()
            #expect(port.isPaused)
            let number = port.number
            reactor.inBackground {
                let client = try RawSocket(connectedTo: number)
                client.setPatience(.milliseconds(200))
                try #require(throws: CallFailure.self) { try client.receive() }
                return client
            } then: { [unowned reactor] client in
                #expect(port.statistics.accepted == 0)
                port.resumeAccepting()
                port.resumeAccepting()
                #expect(!port.isPaused)
                reactor.runClient {
                    client.setPatience(.seconds(20))
                    try #require(client.receiveText(5) == "hello")
                }
            }
        }
    }

    @Test func aPausedPortStaysPausedWhenAConnectionEnds() throws {
        try withReactor { reactor in
            let port = try listen(reactor, connectionsMax: 1)
            let number = port.number
            reactor.inBackground {
                let first = try RawSocket(connectedTo: number)
                try #require(first.receiveText(5) == "hello")
                return (first, try RawSocket(connectedTo: number))
            } then: { [unowned reactor] first, second in
                port.pauseAccepting()
                reactor.runClient {
                    first.close()
                    second.setPatience(.milliseconds(200))
                    try #require(throws: CallFailure.self) { try second.receive() }
                }
            }
        }
    }

    @Test func aPortThatIsResumedWhileThereIsNoRoomAcceptsWhenThereIs() throws {
        try withReactor(log: RecordedLog()) { reactor in
            reactor.connectionsMax = 1
            let paused = try listen(reactor)
            let other = try listen(reactor).number
            paused.pauseAccepting()
            let number = paused.number
            reactor.inBackground {
                let first = try RawSocket(connectedTo: other)
                try #require(first.receiveText(5) == "hello")
                return first
            } then: { [unowned reactor] first in
                paused.resumeAccepting()
                reactor.runClient {
                    let second = try RawSocket(connectedTo: number)
                    first.close()
                    try #require(second.receiveText(5) == "hello")
                }
            }
        }
    }

    @Test func aHigherLimitLetsThoseInWhoWait() throws {
        try withReactor(log: RecordedLog()) { reactor in
            reactor.connectionsMax = 0
            let number = try listen(reactor).number
            reactor.inBackground {
                let client = try RawSocket(connectedTo: number)
                client.setPatience(.milliseconds(200))
                try #require(throws: CallFailure.self) { try client.receive() }
                return client
            } then: { [unowned reactor] client in
                reactor.connectionsMax = 1
                reactor.runClient {
                    client.setPatience(.seconds(20))
                    try #require(client.receiveText(5) == "hello")
                }
            }
        }
    }

    @Test func aPortAcceptsNoMoreInOneTurnThanItWasTold() throws {
        try withReactor { reactor in
            var binding = TCPBinding(port: 0, interface: "127.0.0.1")
            binding.acceptsPerTurn = 2
            var perTurn: [Int] = []
            let factory = Factory { (_: Address) -> Twill::Protocol? in
                perTurn[perTurn.count - 1] += 1
                return nil
            }
            let port = try reactor.listenTCP(on: binding, factory: factory)
            let clients = try (0..<7).map { _ in try RawSocket(connectedTo: port.number) }
            // A call on each turn marks it.
            func markTurn() {
                perTurn.append(0)
                if perTurn.reduce(0, +) == clients.count {
                    #expect(perTurn.max() == 2)
                    reactor.stop()
                } else {
                    reactor.callLater(.zero) { markTurn() }
                }
            }
            reactor.callWhenRunning { markTurn() }
        }
    }
}
