import Twill

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Sends the date and time as one line that a person can read, and closes (RFC 867).
final class Daytime: Protocol {
    override func connectionMade() {
        transport.write(Self.line(atUnixSeconds: Int(time(nil))) + "\r\n")
        transport.loseConnection()
    }

    /// A moment in words: `Friday, November 21, 2025 03:22:00 UTC`.
    ///
    /// In UTC, because a client can't know where the server's clock hangs. Worked out here, because the C library's own functions write to
    /// memory that is handed to them by address.
    static func line(atUnixSeconds seconds: Int) -> String {
        let (day, second) = floorDivide(seconds, 86_400)
        let (year, month, dayOfMonth) = date(ofUnixDay: day)
        // The first of January 1970 was a Thursday.
        let weekday = weekdays[floorDivide(day + 4, 7).rest]
        let clock = [second / 3600, second / 60 % 60, second % 60].map(twoDigits).joined(separator: ":")
        return "\(weekday), \(months[month - 1]) \(dayOfMonth), \(year) \(clock) UTC"
    }

    private static let weekdays = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]
    private static let months = [
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
    ]

    /// The date so many days after the first of January 1970, in the Gregorian calendar.
    ///
    /// The year is taken to begin in March, so that a leap day is its last; 400 years have 146 097 days, wherever they begin.
    private static func date(ofUnixDay day: Int) -> (year: Int, month: Int, day: Int) {
        let (era, dayOfEra) = floorDivide(day + 719_468, 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        // The months from March on have 153 days in each run of five.
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        return (era * 400 + yearOfEra + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * monthFromMarch + 2) / 5 + 1)
    }

    /// A division whose rest is never negative.
    private static func floorDivide(_ number: Int, _ divisor: Int) -> (quotient: Int, rest: Int) {
        let rest = (number % divisor + divisor) % divisor
        return ((number - rest) / divisor, rest)
    }

    private static func twoDigits(_ number: Int) -> String {
        number < 10 ? "0\(number)" : "\(number)"
    }
}
