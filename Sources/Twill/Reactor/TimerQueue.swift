/// The calls that a reactor will make later, in order of their time.
///
/// A binary heap; it makes no calls and knows no event loop. It serves the real and the simulated reactor alike.
///
/// Invariant: an entry's key is never later than its call's own time. A call that was moved to a later time keeps its old key until
/// that comes up, so moving it costs nothing; a call that was moved to an earlier time is put in its place at once.
package final class TimerQueue {
    private struct Entry {
        var time: ReactorClock.Instant
        var sequence: UInt64
        var call: DelayedCall

        static func < (left: Entry, right: Entry) -> Bool {
            left.time == right.time ? left.sequence < right.sequence : left.time < right.time
        }
    }

    package let clock: ReactorClock
    private var heap: [Entry] = []
    private var nextSequence: UInt64 = 0

    package init(clock: ReactorClock) {
        self.clock = clock
    }

    deinit {
        for entry in heap {
            entry.call.letGo()
        }
    }

    /// The earliest moment at which a call may be due; ``ReactorClock/Instant/never`` where there is none.
    package private(set) var nextTime = ReactorClock.Instant.never

    /// Takes out every call without making it, so that nothing they hold outlives the reactor.
    package func removeAll() {
        for call in calls {
            try? call.cancel()
        }
    }

    /// The calls that have not been made, in no order.
    package var calls: [DelayedCall] { heap.map(\.call) }

    /// Adds a call; a negative delay counts as none.
    package func add(after delay: Duration, _ body: @escaping () throws -> Void) -> DelayedCall {
        let call = DelayedCall(queue: self, time: clock.now.advanced(by: max(delay, .zero)), sequence: takeSequence(), body: body)
        insert(call)
        return call
    }

    /// Takes out every call whose time has come, first those due first; those of one moment in the order in which they were set.
    ///
    /// Calls that these calls add, even with no delay, are due at the next look.
    package func takeDue() -> [DelayedCall] {
        let now = clock.now
        var due: [DelayedCall] = []
        while let entry = heap.first, entry.time <= now {
            let call = entry.call
            if call.sequence != entry.sequence {
                // It was moved since it was put here.
                place(call, in: 0)
                sink(from: 0)
            } else {
                remove(call)
                due.append(call)
            }
        }
        noteNext()
        return due
    }

    /// Takes a call out, wherever it stands; nothing where it stands in no place.
    func remove(_ call: DelayedCall) {
        let position = call.position
        guard position >= 0 else { return }
        call.position = -1
        let last = heap.removeLast()
        if position < heap.count {
            heap[position] = last
            last.call.position = position
            sink(from: position)
            rise(from: position)
        } else if heap.isEmpty {
            // A storm of timers must not keep its memory for ever.
            heap = []
        }
        noteNext()
    }

    /// Sets a call's time anew.
    func move(_ call: DelayedCall, to time: ReactorClock.Instant) {
        call.time = time
        call.sequence = takeSequence()
        if call.position < 0 {
            // It was due in this same look and an earlier one moved it.
            insert(call)
        } else if time < heap[call.position].time {
            place(call, in: call.position)
            rise(from: call.position)
            noteNext()
        }
    }

    private func noteNext() {
        nextTime = heap.first?.time ?? .never
    }

    private func takeSequence() -> UInt64 {
        defer { nextSequence += 1 }
        return nextSequence
    }

    private func insert(_ call: DelayedCall) {
        heap.append(Entry(time: call.time, sequence: call.sequence, call: call))
        call.position = heap.count - 1
        rise(from: heap.count - 1)
        noteNext()
    }

    private func place(_ call: DelayedCall, in position: Int) {
        heap[position] = Entry(time: call.time, sequence: call.sequence, call: call)
        call.position = position
    }

    private func rise(from start: Int) {
        var position = start
        while position > 0 {
            let parent = (position - 1) / 2
            guard heap[position] < heap[parent] else { return }
            swap(position, parent)
            position = parent
        }
    }

    private func sink(from start: Int) {
        var position = start
        while true {
            var least = position
            for child in (2 * position + 1)...(2 * position + 2) where child < heap.count && heap[child] < heap[least] {
                least = child
            }
            guard least != position else { return }
            swap(position, least)
            position = least
        }
    }

    private func swap(_ one: Int, _ other: Int) {
        heap.swapAt(one, other)
        heap[one].call.position = one
        heap[other].call.position = other
    }
}
