import Foundation
import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

/// Each test runs in a process of its own, which it fills with descriptors.
@Suite("Descriptors that select can't watch", .nothingLivesOn)
struct SelectTests {
    /// Opens descriptors until the next one has this number or a higher one.
    private static func fillDescriptors(to number: CInt) -> [CInt] {
        DescriptorLimit.raise()
        var fillers: [CInt] = []
        while case let filler = systemOpen("/dev/null", 0), filler >= 0 {
            fillers.append(filler)
            if filler >= number { break }
        }
        return fillers
    }

    @Test func aReactorIsRefusedWhoseOwnDescriptorsAreTooHigh() async {
        await #expect(processExitsWith: .success) {
            let fillers = Self.fillDescriptors(to: 1030)
            do {
                _ = try LibeventReactor(logger: RecordedLog().logger, backend: .select)
                Issue.record("a reactor was made")
            } catch {
                if !"\(error)".contains("select") { Issue.record(error) }
            }
            for filler in fillers { systemClose(filler) }
        }
    }

    @Test func aConnectionIsRefusedWhoseDescriptorIsTooHighAndOthersAreServed() async {
        await #expect(processExitsWith: .success) {
            do {
                try Self.serveAround()
            } catch {
                Issue.record(error)
            }
        }
    }

    private static func serveAround() throws {
        let log = RecordedLog()
        let reactor = try LibeventReactor(logger: log.logger, backend: .select)
        let port = try reactor.listenTCP(
            port: 0,
            factory: Factory {
                let recorder = Recorder()
                recorder.whenData = { recorder in recorder.transport.write(recorder.takeReceived()) }
                return recorder
            }, interface: "127.0.0.1"
        ).number
        reactor.runClient {
            let first = try RawSocket(connectedTo: port)
            try first.send("one")
            try #require(first.receiveText(3) == "one")
            let fillers = fillDescriptors(to: 1030)
            let second = try RawSocket(connectedTo: port)
            try #require(second.receiveToEnd() == [])
            try first.send("two")
            try #require(first.receiveText(3) == "two")
            for filler in fillers { systemClose(filler) }
            for client in [first, second] { client.close() }
        }
        try reactor.runToStop()
        try #require(log.count(containing: "(select, errno ") == 1)
    }
}
