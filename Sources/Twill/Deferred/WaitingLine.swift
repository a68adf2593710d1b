/// Those who wait, first come, first served; each may leave by the number that he got.
///
/// Numbers are never given twice. Taking the first and leaving take constant time, over a life of many of them.
struct WaitingLine<Element> {
    private var waiting: [Int: Element] = [:]
    private var firstNumber = 0
    /// The number of the one who comes next.
    private(set) var nextNumber = 0

    var isEmpty: Bool { waiting.isEmpty }
    var count: Int { waiting.count }

    /// Adds one at the end.
    mutating func append(_ element: Element) {
        waiting[nextNumber] = element
        nextNumber += 1
    }

    /// Takes out the one with a number; nothing where he has left.
    mutating func remove(_ number: Int) {
        waiting[number] = nil
    }

    /// Takes out the one who came first.
    mutating func popFirst() -> Element? {
        while firstNumber < nextNumber {
            defer { firstNumber += 1 }
            if let element = waiting.removeValue(forKey: firstNumber) { return element }
        }
        return nil
    }
}
