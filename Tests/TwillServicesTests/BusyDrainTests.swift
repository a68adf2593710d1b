import ChildProcess
import Foundation
import Testing

@Suite("A drain under load", .timeLimit(.minutes(5)))
struct BusyDrainTests {
    @Test func everyReplyThatWasBegunOnAThousandConnectionsIsFinished() throws {
        let folder = try TestFolder()
        let probe = try ProbeProcess(["--reactors", "2", "--drain-timeout", "60"], in: folder)
        let port = try probe.port()
        let clients = try (0..<1000).map { _ in try LineClient(port: port) }
        for client in clients { client.send("slow 1") }
        // An answer to a second line says that the first was read.
        for client in clients { #expect(client.ask("hello") == "hello") }
        probe.process.send(SIGTERM)
        var finished = 0
        for client in clients {
            if client.next() == "done", client.next() == nil { finished += 1 }
        }
        #expect(finished == 1000)
        let end = try probe.process.waitForEnd()
        #expect(end.status == 0 && !end.errors.contains(" error ") && !end.errors.contains("1 were aborted"))
    }
}
