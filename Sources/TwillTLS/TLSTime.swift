/// A moment of a certificate's, to the second.
public struct TLSTime: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// The seconds since 1970 began, UTC.
    public let secondsSince1970: Int

    init(secondsSince1970: Int) {
        self.secondsSince1970 = secondsSince1970
    }

    public static func < (left: TLSTime, right: TLSTime) -> Bool { left.secondsSince1970 < right.secondsSince1970 }

    /// As ISO 8601 writes it, in UTC: "2027-03-01 12:00:00Z".
    public var description: String { text }

    var text: String {
        let days = secondsSince1970 >= 0 ? secondsSince1970 / 86400 : (secondsSince1970 - 86399) / 86400
        let seconds = secondsSince1970 - days * 86400
        // Years are counted from March, so that the leap day is the last of one: 719468 days lie between the first of them and 1970.
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let month = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * month + 2) / 5 + 1
        let calendarMonth = month < 10 ? month + 3 : month - 9
        let year = yearOfEra + era * 400 + (calendarMonth <= 2 ? 1 : 0)
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return "\(year)-\(two(calendarMonth))-\(two(day)) \(two(seconds / 3600)):\(two(seconds / 60 % 60)):\(two(seconds % 60))Z"
    }
}
