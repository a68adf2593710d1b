import Foundation

/// A load's result as one page that needs no network and no script: its numbers, its course, its latencies, its settings.
struct LoadPage {
    let report: LoadReport
    let series: LoadSeries
    /// The report that it is compared with, and what that is called.
    var other: (report: LoadReport, name: String)?

    var html: String {
        """
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>twill load \(report.endpoint.escaped)</title>
        <style>\(LoadPageStyle.css)</style>
        </head>
        <body>
        <main>
        <h1>\(report.endpoint.escaped)</h1>
        <p class="what">\(what.escaped)</p>
        \(problems)<div class="cards">\(cards)</div>
        \(legend)\(figure("Throughput", "Replies per second over the measured time.", throughput))
        \(figure("Latency by percentile", "That share of the replies took no longer. With each step to the right a tenth as many are left that did.", percentiles))
        \(figure("Latency over time", heatNote, heatMap))
        <h2>Settings</h2>
        \(table(settings))
        <h2>Machine</h2>
        \(table(machine))
        </main>
        </body>
        </html>

        """
    }

    private var what: String {
        let pace =
            report.rate.map { "\($0.rounded(toDigits: 0)) messages a second, whether replies came or not" }
            ?? "the next message when a reply had come"
        return "\(report.framing.rawValue) messages of \(report.size) bytes over \(report.connections) connections; \(pace)."
    }

    private var problems: String {
        guard report.errors + report.failedConnections > 0 else { return "" }
        return
            "<p class=\"problem\">\(report.errors) replies were wrong or missing, \(report.failedConnections) connections failed or were lost.</p>\n"
    }

    private var cards: String {
        let latency = report.latencyMicroseconds
        let now: [(String, Double, (Double) -> String, Double?)] = [
            ("messages/s", report.messagesPerSecond, { $0.asCount }, other?.report.messagesPerSecond),
            ("MB/s", report.megabytesPerSecond, { $0.short }, other?.report.megabytesPerSecond),
            ("p50", latency.p50, { $0.asMicroseconds }, other?.report.latencyMicroseconds.p50),
            ("p99", latency.p99, { $0.asMicroseconds }, other?.report.latencyMicroseconds.p99),
            ("p99.9", latency.p999, { $0.asMicroseconds }, other?.report.latencyMicroseconds.p999),
            ("longest", latency.max, { $0.asMicroseconds }, other?.report.latencyMicroseconds.max),
        ]
        return now.map { name, value, words, then in
            let before = then.map { "<span class=\"then\">before: \(words($0).escaped)</span>" } ?? ""
            return
                "<div class=\"card\"><span class=\"name\">\(name)</span><span class=\"value\">\(words(value).escaped)</span>\(before)</div>"
        }
        .joined(separator: "\n")
    }

    private var legend: String {
        guard let other else { return "" }
        return "<p class=\"legend\"><span class=\"key now\"></span>this run <span class=\"key then\"></span>\(other.name.escaped)</p>\n"
    }

    private func figure(_ title: String, _ note: String, _ svg: String) -> String {
        "<figure><h2>\(title)</h2>\n\(svg)<figcaption>\(note.escaped)</figcaption></figure>"
    }

    private func table(_ rows: [(String, String)]) -> String {
        "<table>" + rows.map { "<tr><th>\($0.0.escaped)</th><td>\($0.1.escaped)</td></tr>" }.joined(separator: "\n") + "</table>"
    }

    private var settings: [(String, String)] {
        [("endpoint", report.endpoint)] + LoadComparison.settings(report) + [
            ("measured", "\(report.durationSeconds.rounded(toDigits: 2)) s"),
            ("messages", "\(report.messages), \(report.totalMessages) in all"),
            ("errors", "\(report.errors)"), ("failed connections", "\(report.failedConnections)"),
        ]
    }

    private var machine: [(String, String)] {
        guard let machine = report.machine else { return [] }
        return [
            ("processor", machine.processor), ("cores", "\(machine.cores)"), ("memory", "\(machine.memoryGigabytes.short) GB"),
            ("system", machine.system),
        ]
    }

    // Charts.

    private var timeAxis: Chart.Axis {
        let end = max(report.durationSeconds, other?.report.course.last?.seconds ?? 0, 0.001)
        let ticks = Chart.roundTicks(to: end).filter { $0 <= end * 1.001 }
        return Chart.Axis(low: 0, high: end, ticks: ticks.map { ($0, "\($0.short) s") })
    }

    private var throughput: String {
        let highest = (report.course + (other?.report.course ?? [])).map(\.messagesPerSecond).max() ?? 1
        let ticks = Chart.roundTicks(to: highest)
        let chart = Chart(x: timeAxis, y: Chart.Axis(low: 0, high: ticks.last ?? highest, ticks: ticks.map { ($0, $0.asCount) }))
        let then = other.map { chart.line($0.report.course.map { ($0.seconds, $0.messagesPerSecond) }, style: "then") } ?? ""
        return chart.svg(
            "Replies per second over time", then + chart.line(report.course.map { ($0.seconds, $0.messagesPerSecond) }, style: "now"))
    }

    private var percentiles: String {
        let points = report.percentiles + (other?.report.percentiles ?? [])
        let values = points.map(\.microseconds)
        let last = max(points.map(\.inverse).max() ?? 100, 100)
        let names: [(Double, String)] = [
            (1, "0 %"), (2, "50 %"), (10, "90 %"), (100, "99 %"), (1_000, "99.9 %"), (10_000, "99.99 %"), (100_000, "99.999 %"),
            (1_000_000, "99.9999 %"),
        ]
        let chart = Chart(
            x: Chart.Axis(low: 1, high: last, scale: .logarithmic, ticks: names.filter { $0.0 <= last }),
            y: Chart.latencyAxis(from: values.min() ?? 1, to: values.max() ?? 10))
        let then = other.map { chart.line($0.report.percentiles.map { ($0.inverse, $0.microseconds) }, style: "then") } ?? ""
        return chart.svg("Latency by percentile", then + chart.line(report.percentiles.map { ($0.inverse, $0.microseconds) }, style: "now"))
    }

    private var heatNote: String {
        "The stronger a field, the more replies of that moment took so long. The line is the 99th percentile."
    }

    private var heatMap: String {
        let slots = 0..<series.slotCount
        let rows = (0..<LoadSeries.rowCount).filter { row in slots.contains { series.count(slot: $0, row: row) > 0 } }
        let low = rows.first.map { LoadSeries.lowerBound(ofRow: $0) / 1_000 } ?? 1
        let high = rows.last.map { LoadSeries.lowerBound(ofRow: $0 + 1) / 1_000 } ?? 10
        let chart = Chart(x: timeAxis, y: Chart.latencyAxis(from: low, to: high))
        let most = slots.reduce(1) { most, slot in max(most, rows.map { series.count(slot: slot, row: $0) }.max() ?? 0) }
        let seconds = Double(series.slotNanoseconds) / 1_000_000_000
        var cells = ""
        for slot in slots {
            let left = chart.placeX(Double(slot) * seconds)
            let right = chart.placeX(min(Double(slot + 1) * seconds, timeAxis.high))
            guard right > left else { continue }
            for row in rows {
                let count = series.count(slot: slot, row: row)
                guard count > 0 else { continue }
                let top = chart.placeY(LoadSeries.lowerBound(ofRow: row + 1) / 1_000)
                let bottom = chart.placeY(max(LoadSeries.lowerBound(ofRow: row) / 1_000, chart.y.low))
                // From a tenth to all of the colour, by the logarithm: a single slow reply is to be seen beside thousands of quick ones.
                let strength = 0.1 + 0.9 * (Double(count) + 1).logarithm / (Double(most) + 1).logarithm
                cells +=
                    "<rect class=\"heat\" x=\"\(left.short)\" y=\"\(top.short)\" width=\"\((right - left).rounded(toDigits: 2))\" height=\"\((bottom - top).rounded(toDigits: 2))\" fill-opacity=\"\(strength.rounded(toDigits: 2))\"/>\n"
            }
        }
        return chart.svg("Latency over time", cells + chart.line(report.course.map { ($0.seconds, $0.p99) }, style: "p99"))
    }
}

func loadPageLog(_ value: Double) -> Double { log(value) }
