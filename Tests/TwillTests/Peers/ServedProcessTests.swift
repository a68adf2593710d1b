import TestSupport
import Testing

@testable import Twill

@Suite(
    "A server in a process of its own", .nothingLivesOn,
    .enabled(if: ServerProcess.tool != nil, "the tool twill was not built with these tests"))
struct ServedProcessTests {
    @Test func itStopsAtASignalWithStatusZero() throws {
        let server = try ServerProcess("echo")
        let client = try RawSocket(connectedTo: server.port)
        try client.send("hello")
        #expect(try client.receiveText(5) == "hello")
        #expect(try server.stop() == 0)
        #expect(try client.receiveToEnd() == [])
    }

    #if os(Linux)
    @Test func noDescriptorIsLeftAfterManyConnections() throws {
        let server = try ServerProcess("line-echo")
        let before = server.descriptorCount
        #expect(before > 0)
        var halfOpen: [RawSocket] = []
        for number in 0..<20_000 {
            try visit(number, server)
            if number % 100 == 0 { halfOpen.append(try RawSocket(connectedTo: server.port)) }
        }
        // The server took them, or the count below would be of nothing.
        #expect(wait { server.descriptorCount >= before + halfOpen.count })
        halfOpen = []
        #expect(wait { server.descriptorCount == before }, "\(before) descriptors before, \(server.descriptorCount) after")
    }

    /// One client's visit, in one of several ways to end it. Most end in a reset, which leaves no port in TIME_WAIT.
    private func visit(_ number: Int, _ server: ServerProcess) throws {
        let client = try RawSocket(connectedTo: server.port)
        switch number % 16 {
        case 0:
            try client.send("a line\r\n")
            #expect(try client.receiveText(8) == "a line\r\n")
        case 1: client.shutdownWriting()
        case 2: try client.send("half a li")
        case 3:
            // Longer than a line may be: the server closes.
            try client.send([UInt8](repeating: 0x2E, count: 20_000))
            _ = try? client.receiveToEnd()
        case 4...9:
            try client.send("half a li")
            client.reset()
        default: client.reset()
        }
        client.close()
    }

    private func wait(_ condition: () -> Bool) -> Bool {
        for _ in 0..<1_000 {
            if condition() { return true }
            pauseThread(.milliseconds(10))
        }
        return false
    }

    @Test(.enabled(if: hasProgram("prlimit"), "prlimit is not installed"))
    func aServerOutOfDescriptorsRestsAndServesAgain() throws {
        let server = try ServerProcess("echo", startedBy: ["prlimit", "--nofile=64"])
        let clients = try (0..<200).map { _ in try RawSocket(connectedTo: server.port) }
        // The first were taken before descriptors ran out.
        func answers(_ client: RawSocket, _ text: String) throws -> Bool {
            try client.send(text)
            return try client.receiveText(text.utf8.count) == text
        }
        let old = clients.prefix(20)
        for client in old { #expect(try answers(client, "old")) }

        // Those who wait are turned away a few at a time; they knock again at once, as clients do.
        var waiting = Array(clients.suffix(60))
        let before = server.processorTicks
        let start = ContinuousClock.now
        while ContinuousClock.now - start < .seconds(2) {
            for index in waiting.indices where waiting[index].isClosedByPeer {
                waiting[index] = try RawSocket(connectedTo: server.port)
            }
            pauseThread(.milliseconds(1))
        }
        let used = server.processorTicks - before
        #expect(used < 20, "\(used) hundredths of a second of work in two seconds of rest: it spins")
        for client in old { #expect(try answers(client, "still old")) }

        for client in clients.dropFirst(10) + waiting { client.close() }
        // Those who wait are served or turned away first; a new one is served as soon as that is over.
        let isServed = (0..<100).contains { _ in
            guard let client = try? RawSocket(connectedTo: server.port), let isServed = try? answers(client, "new"), isServed else {
                pauseThread(.milliseconds(50))
                return false
            }
            return true
        }
        #expect(isServed)
        for client in clients.prefix(10) { #expect(try answers(client, "even now")) }
    }
    #endif
}
