/// A limit on one of Twill's figures, and whether the figure is within it.
///
/// A gate judges the figure as it is printed: what reads `1.10 <= 1.10` has passed.
struct Gate: Codable {
    let name: String
    let value: Double
    let bound: Bound
    let limit: Double
    let digits: Int
    let passed: Bool

    /// On which side of the limit the figure has to be.
    enum Bound: String, Codable {
        case atMost = "<="
        case below = "<"
        case atLeast = ">="

        fileprivate func allows(_ value: Double, _ limit: Double) -> Bool {
            switch self {
            case .atMost: value <= limit
            case .below: value < limit
            case .atLeast: value >= limit
            }
        }
    }

    init(_ name: String, value: Double, _ bound: Bound = .atMost, limit: Double, digits: Int = 2) {
        self.name = name
        self.value = value
        self.bound = bound
        self.limit = limit
        self.digits = digits
        self.passed = bound.allows(Double(value.formatted(digits: digits)) ?? value, limit)
    }
}

extension Gate: CustomStringConvertible {
    var description: String {
        "\(value.formatted(digits: digits)) \(bound.rawValue) \(limit.formatted(digits: digits)) \(passed ? "PASS" : "FAIL")"
    }
}
