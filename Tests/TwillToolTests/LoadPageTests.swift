import ChildProcess
import Foundation
import Testing

@testable import TwillTool

@Suite("What a load draws and writes", .serialized, .timeLimit(.minutes(5)))
struct LoadPageTests {
    /// A folder of the test's own, which goes with it.
    private final class Folder {
        let path: String

        init() throws {
            path = NSTemporaryDirectory() + "twill-load-\(UUID().uuidString)"
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        }

        deinit { try? FileManager.default.removeItem(atPath: path) }

        func file(_ name: String) -> String { path + "/" + name }

        func text(_ name: String) throws -> String { try String(contentsOfFile: file(name), encoding: .utf8) }
    }

    // Over time.

    @Test func rowsCoverEveryLatencyAndGrowByATwelfth() {
        for nanoseconds in [0, 1, 1_023, 1_024, 1_500, 99_999, 1_000_000, 123_456_789, 60_000_000_000] as [Int64] {
            let row = LoadSeries.row(of: nanoseconds)
            #expect(LoadSeries.lowerBound(ofRow: row) <= Double(max(nanoseconds, 1_024)))
            #expect(Double(nanoseconds) < LoadSeries.lowerBound(ofRow: row + 1))
        }
        #expect(LoadSeries.row(of: .max) == LoadSeries.rowCount - 1)
        for row in 0..<LoadSeries.rowCount {
            let growth = LoadSeries.lowerBound(ofRow: row + 1) / LoadSeries.lowerBound(ofRow: row)
            #expect((1.06...1.13).contains(growth))
        }
    }

    @Test func aLongLoadHasLongerSlotsAndLosesNoReply() {
        var series = LoadSeries()
        for millisecond in 0..<100_000 { series.record(3, latency: 5_000, at: Int64(millisecond) * 1_000_000) }
        #expect(series.slotNanoseconds == 400_000_000)
        #expect(series.slotCount == 250)
        #expect((0..<series.slotCount).allSatisfy { series.count(slot: $0) == 1_200 })
        #expect((0..<LoadSeries.slotsMax).reduce(0) { $0 + series.count(slot: $1) } == 300_000)
    }

    @Test func aSlotsPercentilesAreThoseOfItsReplies() throws {
        var series = LoadSeries()
        series.record(90, latency: 10_000, at: 0)
        series.record(10, latency: 1_000_000, at: 0)
        let p90 = try #require(series.latencyMicroseconds(slot: 0, atPercentile: 90))
        let p99 = try #require(series.latencyMicroseconds(slot: 0, atPercentile: 99))
        #expect((10...11.5).contains(p90) && (1_000...1_150).contains(p99))
        #expect(series.latencyMicroseconds(slot: 1, atPercentile: 50) == nil)
    }

    @Test(arguments: [0.001, 0.7, 1, 3, 5.5, 42, 99_999, 1_234_567])
    func axesHaveAFewRoundTicks(_ value: Double) throws {
        let ticks = Chart.roundTicks(to: value)
        #expect((2...8).contains(ticks.count))
        #expect(ticks[0] == 0 && (ticks.last ?? 0) >= value * 0.999)
    }

    // The files.

    @Test func theFilesAreWrittenAndTheLoadIsComparedWithAnEarlierOne() throws {
        let folder = try Folder()
        let (server, port) = try ToolProcess.serve("echo")
        let endpoint = "tcp:127.0.0.1:\(port)"
        let first = try ToolProcess.run(
            "load", endpoint, "--connections", "2", "--duration", "400ms", "--warmup", "0s", "--json", folder.file("before.json"))
        #expect(first.status == 0)
        let second = try ToolProcess.run(
            "load", endpoint, "--connections", "3", "--duration", "600ms", "--warmup", "0s", "--compare", folder.file("before.json"),
            "--csv",
            folder.file("course.csv"), "--report", folder.file("report.html"))
        #expect(second.status == 0, "\(second.errors)")
        #expect(second.output.contains("compared with \(folder.file("before.json")); not the same: connections\n"))
        #expect(second.output.contains(" -> "))
        let lines = try folder.text("course.csv").split(separator: "\n")
        #expect(lines[0] == "seconds,messages_per_second,p50_microseconds,p90_microseconds,p99_microseconds")
        #expect((8...13).contains(lines.count), "slots of 50 ms: \(lines.count)")
        #expect(lines.dropFirst().allSatisfy { $0.split(separator: ",").compactMap { Double($0) }.count == 5 })
        let page = try folder.text("report.html")
        for word in [
            "<title>twill load \(endpoint)</title>", "before.json", "Throughput", "Latency by percentile", "class=\"heat\"",
            "prefers-color-scheme: dark",
        ] {
            #expect(page.contains(word), "\(word)")
        }
        #expect(
            !page.contains("http://") && !page.contains("https://") && !page.contains("<script"), "it needs no network and runs nothing")
        #expect(page.components(separatedBy: "<svg ").count == 4)
        #expect(try server.terminate().status == 0)
    }

    @Test func whatIsWrittenInThePageMeansNothingThere() {
        #expect("<b>\"a\" & b</b>".escaped == "&lt;b&gt;&quot;a&quot; &amp; b&lt;/b&gt;")
    }

    private static let chromium = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].first {
        FileManager.default.isExecutableFile(atPath: $0)
    }

    @Test(.enabled(if: chromium != nil, "there is no chromium; make test installs it if it can"))
    func aBrowserDrawsThePage() throws {
        let browser = try #require(Self.chromium)
        let folder = try Folder()
        let (server, port) = try ToolProcess.serve("echo")
        let end = try ToolProcess.run(
            "load", "tcp:127.0.0.1:\(port)", "--connections", "2", "--duration", "300ms", "--report", folder.file("report.html"))
        #expect(end.status == 0)
        #expect(try server.terminate().status == 0)
        let options = ["--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir=\(folder.file("profile"))"]
        let seen = try ChildProcess([browser] + options + ["--dump-dom", "file://\(folder.file("report.html"))"]).waitForEnd()
        #expect(seen.status == 0)
        #expect(seen.output.components(separatedBy: "<svg ").count == 4, "the browser has read three drawings")
        #expect(seen.output.contains("<td>2</td>"), "and the table of settings")
        let shot = try ChildProcess(
            [browser] + options + [
                "--window-size=1040,1400", "--screenshot=\(folder.file("page.png"))", "file://\(folder.file("report.html"))",
            ]
        ).waitForEnd()
        #expect(shot.status == 0)
        let size = try #require(FileManager.default.attributesOfItem(atPath: folder.file("page.png"))[.size] as? Int)
        #expect(size > 20_000, "more than an empty page")
    }

    // The open loop.

    @Test func aStandstillIsChargedToAllWhoWouldHaveCome() throws {
        let folder = try Folder()
        /// How many percent of 1500 messages took no more than a tenth of a second, at a server that stands still for one second.
        func inTime(_ options: String...) throws -> Double {
            let server = try BadServer(.standStill(offset: 300 * 64, seconds: 1))
            let end = try ToolProcess.run(
                ["load", "tcp:127.0.0.1:\(server.port)", "--connections", "1", "--messages", "1500", "--json", folder.file("result.json")]
                    + options)
            #expect(end.status == 0, "\(end.errors)")
            let report = try LoadComparison.read(folder.file("result.json"))
            #expect(report.messages == 1_500 && report.errors == 0)
            return report.percentiles.last { $0.microseconds < 100_000 }?.percent ?? 0
        }
        #expect(try inTime() > 99, "a closed loop asks nothing meanwhile")
        #expect(try inTime("--rate", "1000", "--depth", "8") < 60, "900 would have come, and waited")
    }

    @Test func theRateIsKept() throws {
        let folder = try Folder()
        let (server, port) = try ToolProcess.serve("echo")
        let end = try ToolProcess.run(
            "load", "tcp:127.0.0.1:\(port)", "--connections", "3", "--rate", "500", "--messages", "400", "--json",
            folder.file("result.json"))
        #expect(end.status == 0)
        #expect(end.output.contains(", 500 a second"))
        let report = try LoadComparison.read(folder.file("result.json"))
        #expect(report.rate == 500)
        #expect((0.75...2).contains(report.durationSeconds), "400 messages at 500 a second: \(report.durationSeconds)")
        #expect(try server.terminate().status == 0)
    }

    @Test(arguments: [
        (["--rate", "0"], "--rate is 0.0 but must be from 0.01 to 10000000 messages a second"),
        (["--compare", "/nowhere.json"], "'/nowhere.json' can't be read"),
        (["--compare", "/etc/hostname"], "is no report of twill load --json"),
        (["--report", "/nowhere/report.html"], "--report '/nowhere/report.html' can't be written: there is no folder '/nowhere'"),
        (["--csv", "/tmp"], "--csv '/tmp' is a folder"),
    ])
    func wrongOptionsAreRefusedBeforeTheLoad(_ options: [String], sentence: String) throws {
        let end = try ToolProcess.run(["load", "tcp:127.0.0.1:1"] + options)
        #expect(end.status != 0)
        #expect(end.errors.contains(sentence), "\(end.errors)")
    }
}
