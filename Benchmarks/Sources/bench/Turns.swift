extension Array {
    /// The elements in the order of one round: all of them, and a different one first in each round.
    func turns(ofRound round: Int) -> [Element] {
        guard !isEmpty else { return [] }
        let first = round % count
        return Array(self[first...] + self[..<first])
    }
}
