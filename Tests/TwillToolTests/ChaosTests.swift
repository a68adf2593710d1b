import ChildProcess
import Foundation
import Testing

@testable import TwillTool

/// `twill chaos` as a process between clients and servers that know nothing of it.
@Suite(.serialized, .timeLimit(.minutes(5)))
struct ChaosTests {
    private final class Chaos {
        let server: ToolProcess
        let process: ToolProcess
        let port: UInt16
        let target: UInt16

        init(plan: String, _ more: String..., target: UInt16? = nil) throws {
            let (server, port) = try ToolProcess.serve("echo")
            self.server = server
            self.target = target ?? port
            process = try ToolProcess(
                ["chaos", "--listen", "tcp:127.0.0.1:0", "--to", "tcp:\(self.target)", "--plan", plan] + more)
            self.port = try ToolProcess.port(in: try process.waitForLines(2)[0])
        }

        /// Ends it with a signal; its status must be 0.
        func end(by signal: Int32 = SIGTERM) throws -> [String] {
            process.send(signal)
            let end = try process.waitForEnd()
            #expect(end.status == 0)
            #expect(try server.terminate().status == 0)
            return end.output.split(separator: "\n").map(String.init)
        }
    }

    /// A file with a plan, for as long as the closure runs.
    private func withPlan<Result>(_ json: String, _ body: (String) throws -> Result) throws -> Result {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("twill-plan-\(UUID().uuidString).json")
        try Data(json.utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        return try body(file.path)
    }

    @Test(arguments: [SIGTERM, SIGINT])
    func withoutFaultsItForwardsAndEndsWithASummary(signal: Int32) throws {
        let chaos = try Chaos(plan: "none", "--seed", "7")
        let client = try SystemClient(port: chaos.port)
        try client.send("hello")
        client.finishSending()
        #expect(String(decoding: try client.receiveToEnd(), as: UTF8.self) == "hello")
        #expect(
            try chaos.end(by: signal) == [
                "listening on tcp:127.0.0.1:\(chaos.port)", "forwarding to tcp:127.0.0.1:\(chaos.target) with seed 7, no faults",
                "1 connection, 5 bytes to the server, 5 to clients; no faults",
                "again: twill chaos --listen tcp:127.0.0.1:0 --to tcp:127.0.0.1:\(chaos.target) --seed 7 --plan none",
            ])
    }

    @Test func aPlanOfOnesOwnCutsEveryConnection() throws {
        try withPlan(#"{ "cut": { "offset": 17, "ending": "reset" } }"#) { plan in
            let chaos = try Chaos(plan: plan, "--answers", "none", "--seed", "1")
            for _ in 0..<2 {
                let client = try SystemClient(port: chaos.port)
                try client.send("01234567890123456789")
                let error = #expect(throws: SystemClient.Failure.self) { _ = try client.receive(20) }
                #expect(error?.description == "recv failed, errno \(ECONNRESET)")
            }
            let lines = try chaos.end()
            #expect(lines[1].hasSuffix("with seed 1, cut at 17 by reset; answers: no faults"))
            #expect(Array(lines[2...3]) == (1...2).map { "#\($0) client>server: cut: reset after 17 bytes" })
            #expect(lines[4].hasPrefix("2 connections, 34 bytes to the server") && lines[4].hasSuffix("faults: cut 2"))
            #expect(lines.last?.hasSuffix("--plan \(plan) --answers none") == true)
        }
    }

    @Test func theSameSeedDoesTheSameAgain() throws {
        func run(_ seed: Int, isVerbose: Bool = true) throws -> [String] {
            try withPlan(#"{ "refusals": 300000, "stalls": 200000, "splits": 200000, "slownessMax": 0.02 }"#) { plan in
                let chaos =
                    isVerbose
                    ? try Chaos(plan: plan, "--seed", "\(seed)", "--segment", "16", "--verbose")
                    : try Chaos(plan: plan, "--seed", "\(seed)", "--segment", "16")
                let bytes = [UInt8](repeating: 1, count: 200)
                for _ in 0..<10 {
                    let client = try SystemClient(port: chaos.port)
                    if (try? client.send(bytes)) != nil, let answer = try? client.receive(bytes.count) { #expect(answer == bytes) }
                }
                // The two directions of a connection go on side by side.
                return try chaos.end().filter { $0.hasPrefix("#") }.sorted()
            }
        }
        let first = try run(1)
        #expect(first.contains { $0.hasSuffix(": refused") } && first.contains { $0.contains(" held up for ") })
        #expect(first.contains { $0.contains(" held up for ") && !$0.hasSuffix(" after 0 bytes") }, "there are segments behind the first")
        #expect(first.contains { $0.contains(" split after ") }, "--verbose prints splits too")
        #expect(try run(1) == first)
        #expect(try run(1, isVerbose: false) == first.filter { !$0.contains(" split after ") })
        #expect(try run(2) != first)
    }

    @Test func faultsMayBeLeftOutOfTheOutputAndSlownessLimited() throws {
        let chaos = try Chaos(plan: "swarm", "--quiet", "--slowness", "10ms", "--segment", "4", "--seed", "42")
        for _ in 0..<5 {
            guard let client = try? SystemClient(port: chaos.port) else { continue }
            _ = try? client.send("hello, this is a line")
        }
        let lines = try chaos.end()
        #expect(lines.count == 4)
        #expect(lines[1].contains("slownessMax 0.01s"))
        #expect(lines[3].hasSuffix(" --seed 42 --plan swarm --segment 4 --slowness 0.01s"))
    }

    @Test func aSeedIsChosenWhereNoneIsGiven() throws {
        let seeds = try (0..<2).map { _ in
            let line = try #require(try Chaos(plan: "mild").end().last)
            return try #require(line.split(separator: " ").drop { $0 != "--seed" }.dropFirst().first.map(String.init))
        }
        #expect(seeds.allSatisfy { Int($0) != nil })
        #expect(seeds[0] != seeds[1])
    }

    @Test func aTargetThatRefusesIsTold() throws {
        let deaf = try DeafPort()
        let chaos = try Chaos(plan: "none", target: deaf.port)
        #expect(try SystemClient(port: chaos.port).receiveToEnd() == [])
        try chaos.process.waitForErrors { $0.contains("Couldn't connect to 127.0.0.1:\(deaf.port): connection refused") }
        #expect(try chaos.end()[2].hasPrefix("1 connection, 1 without a target"))
    }

    @Test func aPortInUseIsOneSentenceAndStatusOne() throws {
        let chaos = try Chaos(plan: "none")
        let second = try ToolProcess.run("chaos", "--listen", "tcp:127.0.0.1:\(chaos.port)", "--to", "tcp:1")
        #expect(second.status == 1 && second.output == "")
        #expect(second.complaints.count == 1)
        #expect(second.errors.contains("Couldn't listen on 127.0.0.1:\(chaos.port): address already in use"))
        _ = try chaos.end()
    }

    @Test(arguments: [
        ([], "--listen"), (["--listen", "tcp:0"], "--to"), (["--listen", "tcp:x", "--to", "tcp:1"], "0 to 65535"),
        (["--listen", "tcp:0", "--to", "tcp:1", "--seed", "-1"], "a seed is a whole number"),
        (["--listen", "tcp:0", "--to", "tcp:1", "--segment", "0"], "--segment is 0 but must be at least 1"),
        (["--listen", "tcp:0", "--to", "tcp:1", "--quiet", "--verbose"], "exclude each other"),
        (["--listen", "tcp:0", "--to", "tcp:1", "--plan", "wild"], "plans are none, mild, swarm, or a JSON file"),
        (["--listen", "tcp:0", "--to", "tcp:1", "--slowness", "soon"], "500ms"),
    ])
    func aWrongCommandLineIsOneSentence(arguments: [String], words: String) throws {
        let end = try ToolProcess.run(["chaos"] + arguments)
        #expect(end.status == 64 && end.output == "")
        #expect(end.complaints.count == 1)
        #expect(end.errors.contains(words) && end.errors.contains("'twill chaos --help'"))
    }

    @Test func aRowThatDoesNotExistIsNamed() throws {
        try withPlan(#"{ "reset": 1 }"#) { plan in
            let end = try ToolProcess.run("chaos", "--listen", "tcp:0", "--to", "tcp:1", "--plan", plan)
            #expect(end.status == 64 && end.complaints.count == 1)
            #expect(end.errors.contains("\"reset\" is no row of a fault plan; there are refusals, hangs,"))
        }
    }

    @Test func helpTeaches() throws {
        let end = try ToolProcess.run("chaos", "--help")
        #expect(end.status == 0)
        for word in ["twill chaos --listen tcp:7001 --to tcp:127.0.0.1:7000 --seed 42", "\"cut\"", "--answers", "--slowness", "--segment"] {
            #expect(end.output.contains(word), "\(word)")
        }
        #expect(end.output.split(separator: "\n").allSatisfy { $0.count <= 80 || $0.hasPrefix("USAGE:") })
    }
}
