import ArgumentParser

/// A length of time as the command line writes it: `10s`, `500ms`, `2m`, `1.5s`; a number without a unit counts seconds.
struct DurationArgument: Equatable {
    /// A day. Nobody waits longer for a load test on purpose.
    static let longest = Duration.seconds(86_400)

    let duration: Duration

    /// Takes a length as it is.
    init(_ duration: Duration) {
        self.duration = duration
    }

    /// Reads a length from zero to a day.
    init(parsing text: String) throws {
        let digits = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        guard let number = Self.number(digits), let milliseconds = Self.milliseconds[String(text.dropFirst(digits.count))] else {
            throw ValidationError("write a number with ms, s or m behind it, as in 500ms, 10s or 1.5m")
        }
        let duration = Duration.milliseconds(number * milliseconds)
        guard duration <= Self.longest else { throw ValidationError("the longest is a day: 1440m") }
        self.duration = duration
    }

    /// How many milliseconds a unit has.
    private static let milliseconds: [String: Double] = ["ms": 1, "s": 1000, "": 1000, "m": 60_000]

    /// Digits with at most one point between them.
    private static func number(_ text: Substring) -> Double? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        // Longer ones are no lengths of time, and a Double could become infinite.
        guard text.count <= 15, parts.count <= 2, parts.allSatisfy({ !$0.isEmpty }) else { return nil }
        return Double(text)
    }
}

extension DurationArgument: CustomStringConvertible {
    var description: String { seconds == seconds.rounded() ? "\(Int(seconds))s" : "\(seconds)s" }

    /// The length in seconds.
    var seconds: Double { duration / .seconds(1) }
}
