/// A limit on one of Twill's figures, and whether the figure is within it.
///
/// A gate judges the figure as it is printed: what reads `1.10 <= 1.10` has passed.
struct Gate: Codable {
    let name: String
    let value: Double
    let limit: Double
    let digits: Int
    let passed: Bool

    init(_ name: String, value: Double, limit: Double, digits: Int = 2) {
        self.name = name
        self.value = value
        self.limit = limit
        self.digits = digits
        self.passed = (Double(value.formatted(digits: digits)) ?? value) <= limit
    }
}

extension Gate: CustomStringConvertible {
    var description: String {
        "\(value.formatted(digits: digits)) <= \(limit.formatted(digits: digits)) \(passed ? "PASS" : "FAIL")"
    }
}
