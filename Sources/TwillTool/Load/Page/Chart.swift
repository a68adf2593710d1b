/// A chart's frame: it turns values into places, and draws axes. Everything is SVG without a script.
struct Chart {
    /// How values lie on an axis.
    enum Scale {
        case linear
        case logarithmic
    }

    struct Axis {
        var low: Double
        var high: Double
        var scale = Scale.linear
        /// The values that are written at it.
        var ticks: [(value: Double, label: String)]

        /// Where a value lies, from 0 to 1.
        func place(_ value: Double) -> Double {
            switch scale {
            case .linear: (value - low) / max(high - low, .leastNormalMagnitude)
            case .logarithmic: (value / low).logarithm / max((high / low).logarithm, .leastNormalMagnitude)
            }
        }
    }

    static let width = 960.0
    static let height = 300.0
    private static let left = 76.0
    private static let right = 16.0
    private static let top = 14.0
    private static let bottom = 34.0

    let x: Axis
    let y: Axis

    func placeX(_ value: Double) -> Double { Self.left + x.place(value) * (Self.width - Self.left - Self.right) }
    func placeY(_ value: Double) -> Double { Self.height - Self.bottom - y.place(value) * (Self.height - Self.top - Self.bottom) }

    /// The whole drawing, with something in its frame.
    func svg(_ title: String, _ content: String) -> String {
        var text = "<svg viewBox=\"0 0 \(Self.width.short) \(Self.height.short)\" role=\"img\"><title>\(title.escaped)</title>\n"
        for tick in y.ticks {
            let place = placeY(tick.value)
            text +=
                "<line class=\"grid\" x1=\"\(Self.left.short)\" x2=\"\((Self.width - Self.right).short)\" y1=\"\(place.short)\" y2=\"\(place.short)\"/>"
            text +=
                "<text class=\"tick\" text-anchor=\"end\" x=\"\((Self.left - 8).short)\" y=\"\((place + 4).short)\">\(tick.label.escaped)</text>\n"
        }
        for tick in x.ticks {
            let place = placeX(tick.value)
            text +=
                "<text class=\"tick\" text-anchor=\"middle\" x=\"\(place.short)\" y=\"\((Self.height - Self.bottom + 20).short)\">\(tick.label.escaped)</text>\n"
        }
        return text + content + "</svg>\n"
    }

    /// A line through points; it is interrupted where there is no value.
    func line(_ points: [(x: Double, y: Double?)], style: String) -> String {
        var path = ""
        var isDrawing = false
        for point in points {
            guard let y = point.y else {
                isDrawing = false
                continue
            }
            path += "\(isDrawing ? "L" : "M")\(placeX(point.x).short) \(placeY(y).short)"
            isDrawing = true
        }
        return path.isEmpty ? "" : "<path class=\"line \(style)\" d=\"\(path)\"/>\n"
    }

    /// Round numbers from zero to at least a value: about five of them.
    static func roundTicks(to value: Double) -> [Double] {
        guard value > 0 else { return [0, 1] }
        var step = 1.0
        while step * 5 < value { step *= 10 }
        while step * 5 > value * 10 { step /= 10 }
        for factor in [0.1, 0.2, 0.5, 1] where value / (step * factor) <= 6 {
            step *= factor
            break
        }
        return (0...Int((value / step).rounded(.up))).map { Double($0) * step }
    }

    /// A logarithmic axis of latencies in microseconds, from a power of ten to another.
    static func latencyAxis(from low: Double, to high: Double) -> Axis {
        var bottom = 1.0
        while bottom * 10 <= low { bottom *= 10 }
        var ticks = [bottom]
        while (ticks.last ?? bottom) < high { ticks.append((ticks.last ?? bottom) * 10) }
        if ticks.count == 1 { ticks.append(bottom * 10) }
        return Axis(
            low: bottom, high: ticks.last ?? bottom * 10, scale: .logarithmic, ticks: ticks.map { ($0, $0.asMicroseconds) })
    }
}

extension Double {
    /// Its logarithm, by Foundation's.
    var logarithm: Double { loadPageLog(self) }

    /// With two digits at the most.
    var short: String {
        let text = rounded(toDigits: 1)
        return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
    }

    /// A number of microseconds in the unit that suits it.
    var asMicroseconds: String {
        if self >= 1_000_000 { return "\((self / 1_000_000).short) s" }
        if self >= 1_000 { return "\((self / 1_000).short) ms" }
        return "\(short) µs"
    }

    /// A count with the letter that suits it.
    var asCount: String {
        if self >= 1_000_000 { return "\((self / 1_000_000).short) M" }
        if self >= 1_000 { return "\((self / 1_000).short) k" }
        return short
    }
}

extension String {
    /// With what means something in HTML written so that it means nothing.
    var escaped: String {
        var text = ""
        for character in self {
            switch character {
            case "&": text += "&amp;"
            case "<": text += "&lt;"
            case ">": text += "&gt;"
            case "\"": text += "&quot;"
            default: text.append(character)
            }
        }
        return text
    }
}
