/// Things on their way from those who make them to those who wait for them; whoever comes first waits.
///
/// ```swift
/// let jobs = DeferredQueue<String>(size: 100)
/// try jobs.get().addCallback { print("working on \($0)") }
/// try jobs.put("the first")       // working on the first
/// try jobs.put("the second")      // waits in the queue
/// ```
///
/// Both sides are served in the order in which they came. Cancelling what ``get(fileID:line:)`` returned leaves the line.
///
/// Twisted: `DeferredQueue`.
public final class DeferredQueue<Element> {
    /// How many things may wait; nil for any number. Twisted: `size`.
    public let size: Int?
    /// How many takers may wait; nil for any number. Twisted: `backlog`.
    public let backlog: Int?
    private var things = WaitingLine<Element>()
    private var takers = WaitingLine<Deferred<Element>>()

    /// Makes an empty one.
    public init(size: Int? = nil, backlog: Int? = nil) {
        self.size = size
        self.backlog = backlog
    }

    /// How many things wait. Twisted: `pending`.
    public var count: Int { things.count }

    /// How many takers wait. Twisted: `waiting`.
    public var waitingCount: Int { takers.count }

    /// Gives a thing to who waits for the longest, whose calls are made before this returns; or keeps it for the next one. Twisted: `put`.
    ///
    /// - Throws: ``QueueOverflow`` where as many things wait as may.
    public func put(_ thing: Element) throws {
        while let taker = takers.popFirst() {
            // One whose Deferred somebody else has fired wants nothing any more.
            guard !taker.hasFired else { continue }
            return try taker.succeed(thing)
        }
        if let size, things.count >= size { throw QueueOverflow(size: size) }
        things.append(thing)
    }

    /// Takes the thing that waits for the longest: at once where there is one, else when it is one's turn. Twisted: `get`.
    ///
    /// - Throws: ``QueueUnderflow`` where as many takers wait as may.
    public func get(fileID: StaticString = #fileID, line: UInt32 = #line) throws -> Deferred<Element> {
        if let thing = things.popFirst() { return .succeed(thing, fileID: fileID, line: line) }
        if let backlog, takers.count >= backlog { throw QueueUnderflow(backlog: backlog) }
        let number = takers.nextNumber
        let taker = Deferred<Element>(canceller: { [weak self] _ in self?.takers.remove(number) }, fileID: fileID, line: line)
        takers.append(taker)
        return taker
    }
}

/// A ``DeferredQueue`` was given more than it may hold. Twisted: `QueueOverflow`.
public struct QueueOverflow: Error, Hashable, CustomStringConvertible {
    /// How many things it may hold.
    public let size: Int

    public var description: String { "the queue is full with \(size): take something out first, or give it a larger size" }
}

/// More have asked a ``DeferredQueue`` for something than may wait. Twisted: `QueueUnderflow`.
public struct QueueUnderflow: Error, Hashable, CustomStringConvertible {
    /// How many may wait.
    public let backlog: Int

    public var description: String { "\(backlog) wait for something from the queue already: ask later, or give it a larger backlog" }
}
