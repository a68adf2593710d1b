extension Collection where Element == Double {
    /// The middle value; of an even number, the mean of the two in the middle. nil for no values at all.
    ///
    /// One round in which the machine was busy elsewhere doesn't move it, as it would move a mean.
    var median: Double? {
        let sorted = self.sorted()
        guard let upper = sorted.dropFirst(sorted.count / 2).first else { return nil }
        return sorted.count.isMultiple(of: 2) ? (sorted[sorted.count / 2 - 1] + upper) / 2 : upper
    }

    /// How far the values lie apart, as a part of their median: 0.04 says that a difference of 4 % means nothing.
    var spread: Double? {
        guard let low = self.min(), let high = self.max(), let median, median > 0 else { return nil }
        return (high - low) / median
    }
}
