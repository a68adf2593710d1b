import Twill

/// What happened in a simulation: the last events in words, and all of them in one number.
///
/// Two runs are the same where their digests are: on any machine, in debug and in release.
public struct SimulationTrace: Sendable {
    /// What can happen.
    enum Step: UInt8, Sendable {
        case connects, refused, hangs, accepted, arrives, finishes, breaks, stalls, cutByEnd, cutByReset, vanishes, lost, timer
        case ruled, unknownName, slowName, noDescriptor, crashes, goesDark, boots, terminates, clockStep, buggify, lateWrite, zeroWindow
        case datagramLost, datagramDoubled, datagramLate, datagramArrives
    }

    fileprivate struct Event {
        var time: ReactorClock.Instant
        var step: Step
        var place: String
        var count: Int
    }

    /// How many of the last events are kept in words.
    static let keptMax = 40

    private var kept: [Event] = []
    private var next = 0
    /// How many events there were.
    public private(set) var count = 0
    /// All of them in one number.
    public private(set) var digest: UInt64 = 0xCBF2_9CE4_8422_2325

    /// Notes an event. The key stands for the place in the digest.
    mutating func note(_ step: Step, _ place: String, _ key: UInt64, _ amount: Int = 0, at time: ReactorClock.Instant) {
        for word in [UInt64(bitPattern: time.nanoseconds), UInt64(step.rawValue), key, UInt64(bitPattern: Int64(amount))] {
            digest = (digest ^ word) &* 0x0000_0100_0000_01B3
            digest ^= digest >> 29
        }
        count += 1
        let event = Event(time: time, step: step, place: place, count: amount)
        if kept.count < Self.keptMax { kept.append(event) } else { kept[next] = event }
        next = (next + 1) % Self.keptMax
    }

    /// The last events, one in a line, the oldest first.
    public var text: String {
        let ordered = kept.count < Self.keptMax ? kept[...] : kept[next...] + kept[..<next]
        return ordered.map(\.description).joined(separator: "\n")
    }
}

extension SimulationTrace.Event {
    fileprivate var description: String {
        let words =
            switch step {
            case .connects: "connects"
            case .refused: "is refused"
            case .hangs: "gets no answer"
            case .accepted: "is accepted"
            case .arrives: "\(count) bytes arrive"
            case .finishes: "the end arrives"
            case .breaks: "breaks, errno \(count)"
            case .stalls: "stalls for \(count) ns"
            case .cutByEnd: "is cut: both see an end"
            case .cutByReset: "is cut: both see a reset"
            case .vanishes: "vanishes"
            case .lost: "its protocol is told of the loss"
            case .timer: "a timer"
            case .ruled: "a rule decides about \(count) bytes"
            case .unknownName: "a name is not found"
            case .slowName: "a name takes \(count) ns longer"
            case .noDescriptor: "has no descriptor left for \(count) ns"
            case .crashes: "is killed"
            case .goesDark: "goes dark"
            case .boots: "starts"
            case .terminates: "gets a signal to end"
            case .clockStep: "its wall clock jumps by \(count) ns"
            case .lateWrite: "something is written that nobody will get"
            case .zeroWindow: "its receiver takes nothing more for \(count) ns"
            case .buggify: "the test's own fault"
            case .datagramLost: "a datagram of \(count) bytes is lost"
            case .datagramDoubled: "a datagram of \(count) bytes is doubled"
            case .datagramLate: "a datagram of \(count) bytes is late"
            case .datagramArrives: "a datagram of \(count) bytes arrives"
            }
        let microseconds = time.nanoseconds / 1_000
        return "\(microseconds / 1_000_000).\(String(microseconds % 1_000_000 + 1_000_000).dropFirst()) s  \(place): \(words)"
    }
}
