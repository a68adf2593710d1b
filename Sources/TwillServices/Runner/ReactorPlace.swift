/// Which of a group's reactors something runs on.
///
/// ```swift
/// if services.place.isFirst { try services.add(TimerService(every: .seconds(60)) { report() }) }
/// ```
public struct ReactorPlace: Hashable, Sendable {
    /// From 0.
    public let number: Int
    /// How many there are.
    public let count: Int

    /// The one reactor of a program that has no other.
    public static let only = ReactorPlace(number: 0, count: 1)

    /// Whether it is the first: the place for what a program has once.
    public var isFirst: Bool { number == 0 }

    init(number: Int, count: Int) {
        (self.number, self.count) = (number, count)
    }
}
