/// What a load has measured over time: how many replies came in each slot, and how long they took, in steps of a twelfth.
///
/// However long a load runs, it has at most ``slotsMax`` slots: when there would be more, two become one. It allocates then alone.
struct LoadSeries {
    static let slotsMax = 400
    /// So many steps double a latency.
    private static let stepsPerOctave = 8
    /// The first row begins at 1024 ns, the last one ends after two minutes.
    private static let firstOctave = 10
    static let rowCount = 27 * stepsPerOctave

    /// How long a slot is, in nanoseconds.
    private(set) var slotNanoseconds: Int64 = 50_000_000
    /// Replies by slot and row.
    private var cells: [UInt32]
    private(set) var slotCount = 0

    init() {
        cells = [UInt32](repeating: 0, count: Self.slotsMax * Self.rowCount)
    }

    /// Counts replies that took equally long, at a time since the measuring began.
    @inline(__always)
    mutating func record(_ count: Int, latency: Int64, at time: Int64) {
        while time >= slotNanoseconds * Int64(Self.slotsMax) { halve() }
        let slot = Int(max(0, time) / slotNanoseconds)
        if slot >= slotCount { slotCount = slot + 1 }
        cells[slot * Self.rowCount + Self.row(of: latency)] &+= UInt32(clamping: count)
    }

    private mutating func halve() {
        for slot in 0..<Self.slotsMax {
            let source = slot * 2
            for row in 0..<Self.rowCount {
                let isInside = source + 1 < Self.slotsMax
                cells[slot * Self.rowCount + row] =
                    isInside ? cells[source * Self.rowCount + row] &+ cells[(source + 1) * Self.rowCount + row] : 0
            }
        }
        slotNanoseconds *= 2
        slotCount = (slotCount + 1) / 2
    }

    /// The row that a latency belongs to.
    @inline(__always)
    static func row(of nanoseconds: Int64) -> Int {
        let value = UInt64(max(nanoseconds, 1 << firstOctave))
        let octave = 63 - value.leadingZeroBitCount
        // The bits behind the first one say how far into the octave it is.
        let step = Int((value >> (UInt64(octave) - 3)) & 7)
        return min((octave - firstOctave) * stepsPerOctave + step, rowCount - 1)
    }

    /// Where a row begins, in nanoseconds.
    static func lowerBound(ofRow row: Int) -> Double {
        let octave = firstOctave + row / stepsPerOctave
        return Double(UInt64(1) << UInt64(octave)) * (1 + Double(row % stepsPerOctave) / Double(stepsPerOctave))
    }

    /// How many replies came in a slot and took as long as a row says.
    func count(slot: Int, row: Int) -> Int { Int(cells[slot * Self.rowCount + row]) }

    /// How many replies came in a slot.
    func count(slot: Int) -> Int {
        (0..<Self.rowCount).reduce(0) { $0 + count(slot: slot, row: $1) }
    }

    /// The latency that so many percent of a slot's replies did not exceed, in microseconds; nil where there was none.
    func latencyMicroseconds(slot: Int, atPercentile percentile: Double) -> Double? {
        let total = count(slot: slot)
        guard total > 0 else { return nil }
        let wanted = max(1, (Double(total) * percentile / 100).rounded(.up))
        var seen = 0.0
        for row in 0..<Self.rowCount {
            seen += Double(count(slot: slot, row: row))
            if seen >= wanted { return Self.lowerBound(ofRow: row + 1) / 1_000 }
        }
        return nil
    }
}
