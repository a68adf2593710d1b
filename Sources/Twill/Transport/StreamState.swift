/// Where a stream connection stands: what happened goes in, what is to be done comes out.
///
/// A plain value: it does no input or output and calls nobody. Every stream transport has one, does what it answers, and so they all close
/// in the same way.
///
/// | phase         | input delivered | output taken     | `loseConnection` | `loseWriteConnection` | peer's end       | receiving fails | sending fails |
/// |---------------|-----------------|------------------|------------------|-----------------------|------------------|-----------------|---------------|
/// | `open`        | yes             | yes              | `closing`        | `finishing`           | `readClosed` (1) | `ending`        | `broken`      |
/// | `readClosed`  | -               | yes              | `closing`        | `closing`             | -                | `ending`        | `ending`      |
/// | `finishing`   | yes             | from a producer  | `closing`        | -                     | `closing`        | `ending`        | `broken`      |
/// | `writeClosed` | yes             | -                | `closing`        | -                     | `closing`        | `ending`        | -             |
/// | `closing`     | -               | from a producer  | -                | -                     | -                | `ending`        | `ending`      |
/// | `broken`      | what came before| -                | `ending`         | -                     | `ending`         | `ending`        | -             |
/// | `ending`      | -               | -                | -                | -                     | -                | -               | -             |
/// | `lost`        | -               | -                | -                | -                     | -                | -               | -             |
///
/// (1) for a protocol that is half-closeable; `closing` for any other.
///
/// `abortConnection` leads from every phase to `ending`. ``Event/settle(hasOutput:)``, which comes on a later turn and whenever output has
/// left, leads from `finishing` to `writeClosed` and from `closing` to `lost` once no output waits, and from `broken` and `ending` to `lost`.
/// An error that a callback threw closes the connection as `loseConnection` does, and is the reason whatever happens after it.
package struct StreamState {
    package enum Phase: UInt8, Sendable {
        // The first four may still send.
        case open, readClosed, finishing, closing, writeClosed, broken, ending, lost
    }

    /// What can happen to a connection.
    package enum Event {
        /// This side asked to close, for a reason.
        case lose(ConnectionLost)
        /// This side will write no more.
        case loseWrite
        /// This side drops the connection.
        case abort(ConnectionLost)
        /// A callback of the protocol's or of a producer's threw.
        case threw(any Error)
        /// This side wants no input for a while.
        case pause
        /// This side wants input again.
        case resume
        /// The peer said that it will send no more; whether the protocol can go on writing.
        case peerClosed(halfCloseable: Bool)
        /// Receiving failed.
        case receivingBroke(ConnectionLost)
        /// Sending failed.
        case sendingBroke(ConnectionLost)
        /// No callback of the connection's is running: what was put off may be done. Output is what was not sent yet, or a producer.
        case settle(hasOutput: Bool)
        /// The reactor ends every connection.
        case end(ConnectionLost)
    }

    /// What a transport is to do, in the order of the members.
    package struct Actions: OptionSet, Sendable {
        package let rawValue: UInt16

        package init(rawValue: UInt16) {
            self.rawValue = rawValue
        }

        /// Look for input again.
        package static let startReading = Actions(rawValue: 1 << 0)
        /// Take no more input from the system.
        package static let stopReading = Actions(rawValue: 1 << 1)
        /// Drop what was written and not sent.
        package static let dropOutput = Actions(rawValue: 1 << 2)
        /// Make the peer see a reset.
        package static let reset = Actions(rawValue: 1 << 3)
        /// Stop a push producer: nothing would tell it to end by itself. A pull producer goes on to its end.
        package static let stopPushProducer = Actions(rawValue: 1 << 4)
        /// Say that no more will be sent.
        package static let shutdownWriting = Actions(rawValue: 1 << 5)
        /// Tell the protocol that the peer will send no more.
        package static let tellReadLost = Actions(rawValue: 1 << 6)
        /// Tell the protocol that its output has left.
        package static let tellWriteLost = Actions(rawValue: 1 << 7)
        /// Deliver what the peer said before sending failed.
        package static let readRest = Actions(rawValue: 1 << 8)
        /// See to it that a peer that takes nothing is given up.
        package static let watchForStall = Actions(rawValue: 1 << 9)
        /// Come back with ``Event/settle(hasOutput:)`` on a later turn.
        package static let settleLater = Actions(rawValue: 1 << 10)
        /// Come back with ``Event/settle(hasOutput:)`` at once.
        package static let settleNow = Actions(rawValue: 1 << 11)
        /// Tell the protocol of the loss; ``StreamState/reason`` says why.
        package static let tellLost = Actions(rawValue: 1 << 12)
        /// Close so that what was sent is not destroyed by input that nobody read.
        package static let linger = Actions(rawValue: 1 << 13)
        /// Close.
        package static let release = Actions(rawValue: 1 << 14)
    }

    package private(set) var phase = Phase.open
    package private(set) var isPaused = false
    private var hasReadRest = false

    /// Whether input is to be delivered now.
    package private(set) var takesInput = true
    /// Whether anybody may write.
    package private(set) var takesOutput = true

    /// What the protocol is told at the end.
    package private(set) var reason = ConnectionLost.done

    package init() {}

    /// A stream that may have one direction only, as a pipe has: it begins where one stands whose other half has closed. One with no direction
    /// at all counts as one that only writes.
    package init(hasInput: Bool, hasOutput: Bool) {
        phase = hasInput ? (hasOutput ? .open : .writeClosed) : .readClosed
        takesInput = hasInput
        takesOutput = phase != .writeClosed
    }

    /// Whether what was accepted may still be sent.
    package var sends: Bool { phase.rawValue <= Phase.closing.rawValue }

    /// What the protocol sees of it.
    package var visible: Transport.State {
        switch phase {
        case .open, .readClosed, .finishing, .writeClosed, .broken: .connected
        case .closing, .ending: .disconnecting
        case .lost: .disconnected
        }
    }

    /// Takes in what happened; what is to be done about it.
    package mutating func take(_ event: Event) -> Actions {
        defer {
            takesInput = !isPaused && (phase == .open || phase == .finishing || phase == .writeClosed || phase == .broken)
            takesOutput = phase == .open || phase == .readClosed
        }
        switch event {
        case .lose(let why): return lose(why)
        case .loseWrite: return loseWrite()
        case .abort(let why): return abort(why)
        case .threw(let error): return threw(.thrown(error))
        case .pause: return pause()
        case .resume: return resume()
        case .peerClosed(let halfCloseable): return peerClosed(halfCloseable)
        case .receivingBroke(let why): return receivingBroke(why)
        case .sendingBroke(let why): return sendingBroke(why)
        case .settle(let hasOutput): return settle(hasOutput)
        case .end(let why): return end(why)
        }
    }

    private mutating func lose(_ why: ConnectionLost) -> Actions {
        switch phase {
        case .open, .readClosed, .finishing, .writeClosed:
            phase = .closing
            reason = why
            return [.stopReading, .settleLater]
        case .broken:
            // It ends for the reason that it broke for; only the rest of its input is not wanted any more.
            phase = .ending
            return .stopReading
        case .closing, .ending, .lost:
            return []
        }
    }

    private mutating func loseWrite() -> Actions {
        switch phase {
        case .open:
            phase = .finishing
            return .settleLater
        case .readClosed:
            // The second half of the connection ends all of it.
            return lose(.done)
        case .finishing, .closing, .writeClosed, .broken, .ending, .lost:
            return []
        }
    }

    private mutating func abort(_ why: ConnectionLost) -> Actions {
        switch phase {
        case .open, .readClosed, .finishing, .writeClosed, .closing:
            phase = .ending
            setReason(why)
            return [.stopReading, .dropOutput, .reset, .settleLater]
        case .broken:
            phase = .ending
            return .stopReading
        case .ending, .lost:
            return []
        }
    }

    private mutating func threw(_ why: ConnectionLost) -> Actions {
        let actions = lose(why)
        // What ended the connection before was nobody's mistake; this was one.
        if phase != .lost { setReason(why) }
        return actions
    }

    private mutating func pause() -> Actions {
        // Looking for input is stopped only when input comes: a pause that is over by then costs nothing.
        if visible == .connected { isPaused = true }
        return []
    }

    private mutating func resume() -> Actions {
        guard isPaused, visible == .connected else { return [] }
        isPaused = false
        return phase == .readClosed ? [] : .startReading
    }

    private mutating func peerClosed(_ halfCloseable: Bool) -> Actions {
        switch phase {
        case .open:
            if halfCloseable {
                phase = .readClosed
                return [.stopReading, .tellReadLost]
            }
            phase = .closing
            return [.stopReading, .stopPushProducer, .settleNow]
        case .finishing, .writeClosed:
            phase = .closing
            return [.stopReading, .settleNow]
        case .broken:
            phase = .ending
            return .stopReading
        case .readClosed, .closing, .ending, .lost:
            return []
        }
    }

    private mutating func receivingBroke(_ why: ConnectionLost) -> Actions {
        switch phase {
        case .open, .readClosed, .finishing, .writeClosed, .closing:
            phase = .ending
            setReason(why)
            return [.stopReading, .dropOutput, .settleNow]
        case .broken:
            phase = .ending
            return .stopReading
        case .ending, .lost:
            return []
        }
    }

    private mutating func sendingBroke(_ why: ConnectionLost) -> Actions {
        switch phase {
        case .open, .finishing:
            // What the peer said before may be why.
            phase = isPaused ? .ending : .broken
            reason = why
            return isPaused ? [.stopReading, .dropOutput, .settleLater] : [.dropOutput, .settleLater]
        case .readClosed, .closing:
            phase = .ending
            setReason(why)
            return [.stopReading, .dropOutput, .settleLater]
        case .writeClosed, .broken, .ending, .lost:
            return []
        }
    }

    private mutating func settle(_ hasOutput: Bool) -> Actions {
        switch phase {
        case .finishing:
            guard !hasOutput else { return .watchForStall }
            phase = .writeClosed
            return [.shutdownWriting, .tellWriteLost]
        case .closing:
            guard !hasOutput else { return .watchForStall }
            phase = .lost
            return [.tellLost, .linger]
        case .broken where !hasReadRest:
            hasReadRest = true
            return [.readRest, .settleNow]
        case .broken, .ending:
            phase = .lost
            return [.stopReading, .tellLost, .release]
        case .open, .readClosed, .writeClosed, .lost:
            return []
        }
    }

    private mutating func end(_ why: ConnectionLost) -> Actions {
        // One that lingers has told its protocol already.
        guard phase != .lost else { return .release }
        phase = .lost
        setReason(why)
        return [.stopReading, .dropOutput, .tellLost, .release]
    }

    /// Sets the reason, but for an error of a callback's, which says more than that somebody then gave up.
    private mutating func setReason(_ why: ConnectionLost) {
        if reason != .failed { reason = why }
    }
}
