import Twill

/// What a protocol does, deed after deed, and what it hears meanwhile. Who plays the same scenario does the same.
final class Scenario {
    private var bytes: ArraySlice<UInt8>
    private(set) var heard: [Heard] = []

    init(_ bytes: [UInt8]) {
        self.bytes = bytes[...]
    }

    func hear(_ heard: Heard) {
        self.heard.append(heard)
    }

    /// What is done now: up to three things, and nothing once the scenario has ended.
    func deeds() -> [Deed] {
        var deeds: [Deed] = []
        while deeds.count < 3, let byte = bytes.popFirst() {
            let deed = Deed(byte)
            if case .nothing = deed { break }
            deeds.append(deed)
        }
        return deeds
    }
}

/// What a receiver tells, or gives when it is asked, with what was unread then.
enum Heard: Hashable {
    case frame([UInt8], unread: [UInt8])
    case raw([UInt8], unread: [UInt8])
    case tooLong([UInt8], unread: [UInt8])
    case rejected(Rejection)
    case took([UInt8])
    case threw
    /// Between two inputs: what is unread, and how many bytes of that wait for the end of a frame.
    case waiting(unread: [UInt8], unfinishedCount: Int)
    /// Between two inputs of which nothing is delivered any more.
    case closed
}

/// What a deed throws.
struct Failure: Error {}

/// A receiver, or the model of one.
protocol FrameListener: AnyObject {
    var scenario: Scenario { get }
    /// How it stands between two inputs: `Heard.waiting` or `Heard.closed`.
    var standing: Heard { get }
    /// Input arrives.
    func receive(_ bytes: [UInt8]) throws
    /// Does something between two inputs; callbacks may run because of it.
    func perform(_ deed: Deed) throws
    /// Takes what is not read yet; empty where nothing is delivered any more.
    func takeUnread() -> [UInt8]
    /// Another one of the same rules and the same scenario, which has heard nothing.
    func makeSuccessor() throws -> any FrameListener
}

extension Scenario {
    /// Plays the scenario to a stream in these pieces.
    func play(_ stream: [UInt8], in pieces: [Range<Int>], to first: any FrameListener) throws {
        var listener = first
        for piece in pieces where !piece.isEmpty {
            attempt { try listener.receive(Array(stream[piece])) }
            for deed in deeds() {
                guard case .startAnew = deed else {
                    attempt { try listener.perform(deed) }
                    continue
                }
                let unread = listener.takeUnread()
                hear(.took(unread))
                listener = try listener.makeSuccessor()
                if !unread.isEmpty { attempt { try listener.receive(unread) } }
            }
            hear(listener.standing)
        }
        attempt { try listener.perform(.resume) }
        hear(listener.standing)
    }

    private func attempt(_ action: () throws -> Void) {
        do { try action() } catch { hear(.threw) }
    }
}
