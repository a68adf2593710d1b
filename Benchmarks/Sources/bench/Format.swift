import Foundation

extension Double {
    /// With so many digits after the point, whatever the locale. What rounds to nothing has no sign.
    func formatted(digits: Int) -> String {
        let text = String(format: "%.\(digits)f", self)
        let isNothing = text.allSatisfy { "-0.".contains($0) }
        return isNothing && text.hasPrefix("-") ? String(text.dropFirst()) : text
    }
}
