/// The frames of a connection, one after the other, to its end.
///
/// ```swift
/// for try await line in connection.lines { print(line) }
/// ```
///
/// Another loop goes on where this one ended; with another framing, too, because a frame is taken out of the bytes only when it is asked for.
///
/// - Throws, where it is iterated: ``Rejection`` for input that breaks the rules; ``ConnectionLost`` where the connection breaks;
///   `CancellationError`; ``ConnectionError/alreadyReading``. At the end of the input an unfinished frame is not told: see
///   ``Connection/unreadBytes``.
public struct ConnectionFrames<Framing: Framer, Element>: AsyncSequence {
    public typealias Failure = any Error

    let connection: Connection
    let reader: FrameReader<Framing>
    let make: (Span<UInt8>) throws -> Element

    public struct AsyncIterator: AsyncIteratorProtocol {
        let frames: ConnectionFrames

        public mutating func next(isolation: isolated (any Actor)?) async throws -> Element? {
            try await frames.next()
        }

        public mutating func next() async throws -> Element? {
            try await next(isolation: #isolation)
        }
    }

    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(frames: self) }

    /// The next frame; nil at the end of the input.
    public nonisolated(nonsending) func next() async throws -> Element? {
        try await reader.next(on: connection, make)
    }

    /// Sends a frame of this kind.
    public nonisolated(nonsending) func write(_ frame: [UInt8]) async throws {
        try await connection.writeFrame(frame, as: reader.framer)
    }
}

/// The bytes of a connection as they arrive.
public struct ConnectionChunks: AsyncSequence {
    public typealias Failure = any Error
    public typealias Element = [UInt8]

    let connection: Connection

    public struct AsyncIterator: AsyncIteratorProtocol {
        let connection: Connection

        public mutating func next(isolation: isolated (any Actor)?) async throws -> [UInt8]? {
            try await connection.readChunk()
        }

        public mutating func next() async throws -> [UInt8]? {
            try await next(isolation: #isolation)
        }
    }

    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(connection: connection) }
}

extension Connection {
    /// Lines as text, without what ends them; a line that is no UTF-8 is a ``Rejection``. They end with CR LF, and have at most 16384 bytes.
    public var lines: ConnectionFrames<LineFramer, String> { lines() }

    /// Lines as text; see ``lines``.
    public func lines(delimiter: LineDelimiter = .crlf, lengthMax: Int = 16384) -> ConnectionFrames<LineFramer, String> {
        let framer = LineFramer(delimiter: delimiter, lengthMax: lengthMax)
        return ConnectionFrames(connection: self, reader: FrameReader(framer)) { try String(validating: $0) }
    }

    /// Lines as bytes, without what ends them.
    public func byteLines(delimiter: LineDelimiter = .crlf, lengthMax: Int = 16384) -> ConnectionFrames<LineFramer, [UInt8]> {
        frames(of: LineFramer(delimiter: delimiter, lengthMax: lengthMax))
    }

    /// Netstrings, of at most 99999 bytes.
    public var netstrings: ConnectionFrames<NetstringFramer, [UInt8]> { frames(of: NetstringFramer()) }

    /// The frames that a framer finds. Lines that it skips are passed over.
    public func frames<Framing: Framer>(of framer: Framing) -> ConnectionFrames<Framing, [UInt8]> {
        ConnectionFrames(connection: self, reader: FrameReader(framer)) { Array(copying: $0) }
    }

    /// Calls the closure with every line to the end of the input, lent for the length of the call: what costs least.
    ///
    /// The closure can't wait. What it writes by ``transport`` is sent; while the peer takes too little of that, no more lines are read.
    ///
    /// - Throws: what ``lines`` throws, and what the closure throws, behind whose line reading can go on.
    public nonisolated(nonsending) func forEachLine(
        delimiter: LineDelimiter = .crlf, lengthMax: Int = 16384, _ body: (Span<UInt8>) throws -> Void
    ) async throws {
        try await forEachFrame(of: LineFramer(delimiter: delimiter, lengthMax: lengthMax), body)
    }

    /// Calls the closure with every frame to the end of the input, as ``forEachLine(delimiter:lengthMax:_:)`` does.
    public nonisolated(nonsending) func forEachFrame(of framer: some Framer, _ body: (Span<UInt8>) throws -> Void) async throws {
        try await FrameReader(framer).forEach(on: self, body)
    }

    /// Calls the closure with every piece of the input, as it arrives, as ``forEachLine(delimiter:lengthMax:_:)`` does.
    public nonisolated(nonsending) func forEachChunk(_ body: (Span<UInt8>) throws -> Void) async throws {
        use(nil)
        while true {
            if !intake.isEmpty {
                try intake.read { unread, position in
                    let chunk = unread.extracting(position...)
                    position = unread.count
                    try body(chunk)
                }
            }
            if isFull { try await intake.waitForRoom() }
            if intake.isEmpty, try await !intake.waitForInput() { return }
        }
    }
}

/// Whose frames are read from a connection now.
protocol FramingInUse: AnyObject {
    var unfinishedBytes: [UInt8] { get }
    func takeUnfinishedBytes() -> [UInt8]
}

/// Takes frames out of a connection's bytes, as they are asked for.
final class FrameReader<Framing: Framer>: FramingInUse {
    private(set) var framer: Framing

    init(_ framer: Framing) {
        self.framer = framer
    }

    var unfinishedBytes: [UInt8] { framer.unfinishedBytes }

    func takeUnfinishedBytes() -> [UInt8] { framer.takeUnfinishedBytes() }

    nonisolated(nonsending) func next<Element>(
        on connection: Connection, _ make: (Span<UInt8>) throws -> Element
    ) async throws -> Element? {
        connection.use(self)
        while true {
            if let frame = try takeFrame(from: connection.intake, make) { return frame }
            guard try await connection.intake.waitForInput() else { return nil }
        }
    }

    private func takeFrame<Element>(from intake: ConnectionIntake, _ make: (Span<UInt8>) throws -> Element) throws -> Element? {
        guard !intake.isEmpty else { return nil }
        return try intake.read { unread, position in
            while true {
                switch framer.next(in: unread, at: &position) {
                case .frame(let range): return try make(unread.extracting(range))
                case .collectedFrame: return try make(framer.takeCollected().span)
                case .skipped: continue
                case .needsMore:
                    position = unread.count
                    return nil
                case .rejected(let rejection): throw rejection
                }
            }
        }
    }

    nonisolated(nonsending) func forEach(on connection: Connection, _ body: (Span<UInt8>) throws -> Void) async throws {
        connection.use(self)
        while true {
            try takeAll(from: connection, body)
            if connection.isFull {
                try await connection.intake.waitForRoom()
            } else if try await !connection.intake.waitForInput() {
                return
            }
        }
    }

    /// Calls with each frame that has arrived, unless too much waits to be sent.
    private func takeAll(from connection: Connection, _ body: (Span<UInt8>) throws -> Void) throws {
        guard !connection.intake.isEmpty else { return }
        try connection.intake.read { unread, position in
            while true {
                switch framer.next(in: unread, at: &position) {
                case .frame(let range): try body(unread.extracting(range))
                case .collectedFrame: try body(framer.takeCollected().span)
                case .skipped: continue
                case .needsMore:
                    position = unread.count
                    return
                case .rejected(let rejection): throw rejection
                }
                if connection.transport.bufferedByteCount > 0, connection.isFull { return }
            }
        }
    }
}
