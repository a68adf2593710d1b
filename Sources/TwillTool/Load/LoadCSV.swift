/// The course of a load as lines with commas, for a spreadsheet.
enum LoadCSV {
    static func text(_ report: LoadReport) -> String {
        let header = "seconds,messages_per_second,p50_microseconds,p90_microseconds,p99_microseconds"
        let lines = report.course.map { point in
            ([point.seconds, point.messagesPerSecond].map { Optional($0) } + [point.p50, point.p90, point.p99])
                .map { $0.map { $0.rounded(toDigits: 3) } ?? "" }
                .joined(separator: ",")
        }
        return ([header] + lines).joined(separator: "\n") + "\n"
    }
}
