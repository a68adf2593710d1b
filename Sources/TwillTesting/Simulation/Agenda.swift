import Twill

/// What will happen in a simulation and when: a binary heap, in order of time, and of one moment in the order in which it was added.
struct Agenda {
    private struct Entry {
        var time: ReactorClock.Instant
        var number: UInt64
        /// Whether it is no more than a wait for something that may not happen.
        var isWait: Bool
        var event: () -> Void

        static func < (left: Entry, right: Entry) -> Bool {
            left.time == right.time ? left.number < right.number : left.time < right.time
        }
    }

    private var heap: [Entry] = []
    private var nextNumber: UInt64 = 0
    /// How many events there are that are no waits.
    private(set) var underWayCount = 0

    /// When the next event happens; ``/Twill/ReactorClock/Instant/never`` where there is none.
    var nextTime: ReactorClock.Instant { heap.first?.time ?? .never }

    /// Tells apart what is here already from what is added later.
    var mark: UInt64 { nextNumber }

    mutating func add(at time: ReactorClock.Instant, isWait: Bool = false, _ event: @escaping () -> Void) {
        heap.append(Entry(time: time, number: nextNumber, isWait: isWait, event: event))
        if !isWait { underWayCount += 1 }
        nextNumber += 1
        rise(from: heap.count - 1)
    }

    /// Takes out the next event that is due and was there before the mark.
    mutating func takeNext(dueAt now: ReactorClock.Instant, before mark: UInt64) -> (() -> Void)? {
        guard let first = heap.first, first.time <= now, first.number < mark else { return nil }
        let last = heap.removeLast()
        if !heap.isEmpty {
            heap[0] = last
            sink()
        }
        if !first.isWait { underWayCount -= 1 }
        return first.event
    }

    private mutating func rise(from start: Int) {
        var position = start
        while position > 0 {
            let parent = (position - 1) / 2
            guard heap[position] < heap[parent] else { return }
            heap.swapAt(position, parent)
            position = parent
        }
    }

    private mutating func sink() {
        var position = 0
        while true {
            var least = position
            for child in (2 * position + 1)...(2 * position + 2) where child < heap.count && heap[child] < heap[least] {
                least = child
            }
            guard least != position else { return }
            heap.swapAt(position, least)
            position = least
        }
    }
}
