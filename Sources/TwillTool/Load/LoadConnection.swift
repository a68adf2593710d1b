import Twill

/// One connection of a load: it keeps its number of messages in flight, and checks every byte that comes back.
///
/// Per piece of input it asks for the time once and writes once; it allocates nothing.
final class LoadConnection: Protocol {
    /// Counts from 1, in the order in which the connections were made.
    private let number: Int
    private let run: LoadRun
    private let message: LoadMessage
    private var checker = ReplyChecker()
    /// When each message in flight was sent, in nanoseconds: a ring that begins at `oldest` with the one whose reply comes next.
    private var sentAt: [Int64]
    private var oldest = 0
    /// Whether messages have moments at which they are meant to be sent.
    private var isPaced = false
    /// Those of messages that are late, because too many are in flight.
    private var waiting: ArraySlice<Int64> = []
    /// Whether it is connected and everything was right so far.
    private(set) var isGood = false

    init(number: Int, run: LoadRun, message: LoadMessage, depth: Int) {
        self.number = number
        self.run = run
        self.message = message
        sentAt = Array(repeating: 0, count: depth)
    }

    /// How many messages wait for their reply.
    var outstanding: Int { checker.outstanding }

    override func connectionMade() {
        isGood = true
        // What is in flight may all have to wait here.
        transport.waterMarks.limit += message.count * sentAt.count
        run.connectionMade(self)
    }

    /// Sends the first messages.
    func begin() {
        send(run.take(sentAt.count), at: run.clock.now.nanoseconds)
    }

    override func dataReceived(_ data: Span<UInt8>) {
        guard isGood else { return }
        switch checker.check(data, against: message) {
        case .right(let replies):
            if replies > 0 { finish(replies) }
        case .wrong(let mistake):
            isGood = false
            transport.abortConnection()
            run.repliesWereWrong(on: self, "connection \(number) \(mistake)")
        }
    }

    override func connectionLost(_ reason: ConnectionLost) {
        guard isGood else { return }
        isGood = false
        run.connectionLost(self, "connection \(number) ended before the load did: \(reason)")
    }

    /// Counts replies, and sends as many messages again.
    @inline(__always)
    private func finish(_ replies: Int) {
        let now = run.clock.now.nanoseconds
        var left = replies
        while left > 0 {
            // Messages that were sent together make one entry of the histogram.
            let time = sentAt[oldest]
            var same = 0
            repeat {
                same += 1
                oldest = oldest + 1 == sentAt.count ? 0 : oldest + 1
            } while same < left && sentAt[oldest] == time
            run.tally.countReplies(same, nanoseconds: now - time, at: now)
            left -= same
        }
        if isPaced {
            sendWaiting()
            if checker.outstanding == 0 { run.connectionBecameIdle() }
            return
        }
        let count = run.take(replies)
        if count > 0 {
            send(count, at: now)
        } else if checker.outstanding == 0 {
            run.connectionBecameIdle()
        }
    }

    /// Sends a message that was meant to be sent at a moment, as soon as fewer than the depth are in flight; its latency counts from that moment.
    func offer(intendedAt time: Int64) {
        guard isGood, run.take(1) == 1 else { return }
        isPaced = true
        waiting.append(time)
        if checker.outstanding == 0 { run.connectionBecameBusy() }
        sendWaiting()
    }

    private func sendWaiting() {
        while checker.outstanding < sentAt.count, let time = waiting.popFirst() { send(1, at: time) }
    }

    private func send(_ count: Int, at time: Int64) {
        guard count > 0 else { return }
        var place = (oldest + checker.outstanding) % sentAt.count
        for _ in 0..<count {
            sentAt[place] = time
            place = place + 1 == sentAt.count ? 0 : place + 1
        }
        checker.expect(count)
        if let shared = message.shared {
            for _ in 0..<count { transport.write(shared) }
        } else {
            write(count * message.count)
        }
    }

    /// Writes whole messages.
    private func write(_ byteCount: Int) {
        let repeated = message.repeated
        let span = repeated.span
        var left = byteCount
        while left > 0 {
            let piece = span.extracting(first: min(left, span.count))
            transport.write(piece)
            left -= piece.count
        }
    }
}
