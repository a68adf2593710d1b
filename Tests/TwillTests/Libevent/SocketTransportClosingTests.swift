import Testing

@testable import Twill

@Suite("How a connection ends", .nothingLivesOn)
struct SocketTransportClosingTests {
    /// Runs one connection whose server does this when it is made.
    private func pair(
        options: TransportOptions = TransportOptions(), _ serve: @escaping (Recorder) throws -> Void
    ) throws -> Pair {
        try withReactor { reactor in
            let pair = try Pair(reactor, serverOptions: options)
            pair.server.whenMade = serve
            return pair
        }
    }

    @Test func whatWasWrittenBeforeLosingTheConnectionArrives() throws {
        let pair = try pair {
            $0.transport.write("hello")
            $0.transport.loseConnection()
        }
        #expect(pair.client.events == [.made, .data("hello"), .lost(.done)])
        #expect(pair.server.events == [.made, .lost(.done)])
    }

    @Test func whatIsWrittenAfterLosingTheConnectionIsDropped() throws {
        let pair = try pair {
            $0.transport.write("hello")
            $0.transport.loseConnection()
            $0.transport.write(" after")
            $0.transport.write(SharedBytes([UInt8](repeating: 1, count: 100_000)))
            $0.transport.write([UInt8](repeating: 1, count: 100_000))
        }
        #expect(pair.client.events == [.made, .data("hello"), .lost(.done)])
    }

    @Test func whatIsWrittenAfterLosingAnIdleConnectionIsDropped() throws {
        let pair = try pair {
            $0.transport.loseConnection()
            $0.transport.write("late")
        }
        #expect(pair.client.events == [.made, .lost(.done)])
    }

    @Test func whatIsWrittenWhileTheRestIsBeingSentIsDropped() throws {
        let pair = try pair { server in
            server.transport.write([UInt8](repeating: 0x2E, count: 8 << 20))
            server.transport.loseConnection()
            #expect(server.transport.state == .disconnecting)
            server.transport.reactor.callLater(.zero) { server.transport.write("late") }
        }
        #expect(pair.client.received.count == 8 << 20)
        #expect(pair.server.events == [.made, .lost(.done)])
    }

    @Test func aBigFarewellArrivesWhole() throws {
        let pair = try pair { server in
            for number in 0..<100 { server.transport.write([UInt8](repeating: UInt8(number), count: 50_000)) }
            server.transport.loseConnection()
        }
        let expected = (0..<100).reduce(into: [UInt8]()) { all, number in all += [UInt8](repeating: UInt8(number), count: 50_000) }
        let isEqual = pair.client.received == expected
        #expect(isEqual)
        #expect(pair.client.reason == .done)
    }

    @Test func losingTheConnectionTwiceIsLosingItOnce() throws {
        let pair = try pair {
            $0.transport.loseConnection()
            $0.transport.loseConnection()
            $0.transport.loseConnection(because: .timedOut)
        }
        #expect(pair.server.events == [.made, .lost(.done)])
    }

    @Test func theLossIsToldOnALaterTurn() throws {
        let pair = try pair {
            $0.transport.loseConnection()
            #expect($0.events == [.made])
            #expect($0.transport.state == .disconnecting)
        }
        #expect(pair.server.events == [.made, .lost(.done)])
        #expect(pair.server.transport.state == .disconnected)
    }

    @Test func aReasonOfOnesOwnIsWhatTheProtocolIsTold() throws {
        let pair = try pair {
            $0.transport.write("bye")
            $0.transport.loseConnection(because: .timedOut)
        }
        #expect(pair.server.events == [.made, .lost(.timedOut)])
        #expect(pair.client.events == [.made, .data("bye"), .lost(.done)])
    }

    @Test func abortingDropsWhatIsUnsentAndResetsThePeer() throws {
        let pair = try pair {
            $0.transport.write("dropped")
            $0.transport.abortConnection()
            $0.transport.write("dropped too")
            #expect($0.events == [.made], "the loss is told on a later turn")
        }
        #expect(pair.server.events == [.made, .lost(.aborted)])
        #expect(pair.client.events == [.made, .lost(.lost)])
        #expect((pair.client.reason?.underlying as? SystemError)?.message.contains("reset") == true)
    }

    @Test func abortingDropsWhatTheSocketWouldNotTake() throws {
        let pair = try pair {
            $0.transport.write([UInt8](repeating: 1, count: 8 << 20))
            #expect($0.transport.bufferedByteCount > 0)
            $0.transport.abortConnection()
            #expect($0.transport.bufferedByteCount == 0)
        }
        #expect(pair.server.events == [.made, .lost(.aborted)])
        #expect(pair.client.received.count < 8 << 20)
        #expect(pair.client.reason == .lost)
    }

    @Test func abortingAClosingConnectionEndsItAtOnce() throws {
        let pair = try pair { server in
            server.transport.write([UInt8](repeating: 1, count: 8 << 20))
            server.transport.loseConnection()
            server.transport.abortConnection()
        }
        #expect(pair.server.events == [.made, .lost(.aborted)])
        #expect(pair.client.reason == .lost)
    }

    @Test func abortingInsideDataReceivedTellsTheLossLater() throws {
        let pair = try withReactor { reactor in
            let pair = try Pair(reactor)
            pair.client.whenMade = { $0.transport.write("hello") }
            pair.server.whenData = {
                $0.transport.abortConnection()
                #expect($0.reason == nil)
            }
            return pair
        }
        #expect(pair.server.events == [.made, .data("hello"), .lost(.aborted)])
    }

    @Test func whatTheProtocolDoesOnceTheConnectionIsLostIsIgnored() throws {
        func useEverything(_ transport: Transport) {
            transport.write("late")
            transport.write([UInt8](repeating: 1, count: 100_000))
            transport.write(SharedBytes([UInt8](repeating: 1, count: 100_000)))
            transport.pauseProducing()
            transport.resumeProducing()
            transport.loseConnection()
            transport.abortConnection()
            #expect(transport.state == .disconnected)
        }
        let pair = try withReactor { reactor in
            let pair = try Pair(reactor)
            pair.server.whenMade = { $0.transport.loseConnection() }
            for end in [pair.server, pair.client] {
                end.whenLost = { end, _ in
                    useEverything(end.transport)
                    reactor.callLater(.zero) { useEverything(end.transport) }
                }
            }
            return pair
        }
        #expect(pair.server.events == [.made, .lost(.done)])
        #expect(pair.client.events == [.made, .lost(.done)])
    }

    @Test func eitherEndMayCloseTheOtherFromItsCallback() throws {
        let pair = try withReactor { reactor in
            let pair = try Pair(reactor)
            pair.client.whenMade = { $0.transport.write("hello") }
            pair.server.whenData = { _ in
                pair.client.transport.abortConnection()
                pair.server.transport.abortConnection()
            }
            return pair
        }
        #expect(pair.server.events == [.made, .data("hello"), .lost(.aborted)])
        #expect(pair.client.events == [.made, .lost(.aborted)])
    }

    @Test func stoppingTheReactorLosesEveryConnectionAndClosesItsSocket() throws {
        let log = RecordedLog()
        struct Refusal: Error {}
        let servers = [Recorder(), Recorder(), Recorder()]
        // R11: one that throws keeps no other from being told.
        servers[0].whenLost = { _, _ in throw Refusal() }
        let clients = Shared<[RawSocket]>([])
        try withReactor(log: log) { reactor in
            var waiting = servers
            let factory = Factory { (_: Address) -> Twill::Protocol? in
                if waiting.count == 1 { reactor.stop() }
                return waiting.isEmpty ? nil : waiting.removeFirst()
            }
            let port = try reactor.listenTCP(port: 0, factory: factory, interface: "127.0.0.1").number
            clients.value = try servers.map { _ in try RawSocket(connectedTo: port) }
        }
        for server in servers { #expect(server.events == [.made, .lost(.reactorStopped)]) }
        for client in clients.value { #expect(try client.receiveToEnd() == []) }
        #expect(log.count(containing: "connectionLost threw: Refusal()") == 1)
    }

    @Test func whatWasWrittenRightBeforeTheStopStillLeaves() throws {
        let client = Shared<RawSocket?>(nil)
        try withReactor { reactor in
            let server = Recorder()
            server.whenMade = {
                $0.transport.write("goodbye")
                reactor.stop()
            }
            let port = try reactor.listenTCP(port: 0, factory: OneConnectionFactory(server), interface: "127.0.0.1").number
            client.value = try RawSocket(connectedTo: port)
        }
        #expect(try client.value?.receiveToEnd() == Array("goodbye".utf8))
    }
}
