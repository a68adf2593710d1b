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
public struct ConnectionFrames<Element>: AsyncSequence {
    public typealias Failure = any Error

    @usableFromInline let source: FrameSource<Element>

    @inline(__always)
    init<Framing: Framer>(_ framer: Framing, of connection: Connection, _ make: @escaping (Span<UInt8>) throws -> Element) {
        let reader = FrameReader(framer)
        source = FrameSource(connection, framer) { try reader.takeFrame(from: connection, make) }
    }

    public struct AsyncIterator: AsyncIteratorProtocol {
        @usableFromInline let source: FrameSource<Element>

        @inlinable
        init(_ source: FrameSource<Element>) {
            self.source = source
        }

        @inlinable
        public nonisolated(nonsending) mutating func next(isolation: (any Actor)?) async throws -> Element? {
            try await source.next()
        }

        @inlinable
        public mutating func next() async throws -> Element? {
            try await next(isolation: #isolation)
        }
    }

    @inlinable
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(source) }

    /// The next frame; nil at the end of the input.
    @inlinable
    public nonisolated(nonsending) func next() async throws -> Element? { try await source.next() }

    /// Sends a frame of this kind.
    public nonisolated(nonsending) func write(_ frame: [UInt8]) async throws {
        try await source.connection.writeFrame(frame, as: source.framer)
    }
}

/// Where the frames of a connection come from.
///
/// It has the way to take a frame as a closure, which knows the framer; a program that iterates need not.
@usableFromInline
final class FrameSource<Element> {
    @usableFromInline let connection: Connection
    /// Takes the next frame that has arrived.
    @usableFromInline let take: () throws -> Element?
    fileprivate let framer: any Framer

    fileprivate init(_ connection: Connection, _ framer: any Framer, take: @escaping () throws -> Element?) {
        self.connection = connection
        self.framer = framer
        self.take = take
    }

    @inlinable
    nonisolated(nonsending) func next() async throws -> Element? {
        while true {
            if let frame = try take() { return frame }
            guard try await connection.waitForInput() else { return nil }
        }
    }
}

/// The bytes of a connection as they arrive.
public struct ConnectionChunks: AsyncSequence {
    public typealias Failure = any Error
    public typealias Element = [UInt8]

    @usableFromInline let connection: Connection

    @inlinable
    init(_ connection: Connection) {
        self.connection = connection
    }

    public struct AsyncIterator: AsyncIteratorProtocol {
        @usableFromInline let connection: Connection

        @inlinable
        init(_ connection: Connection) {
            self.connection = connection
        }

        @inlinable
        public nonisolated(nonsending) mutating func next(isolation: (any Actor)?) async throws -> [UInt8]? {
            try await connection.readChunk()
        }

        @inlinable
        public mutating func next() async throws -> [UInt8]? {
            try await next(isolation: #isolation)
        }
    }

    @inlinable
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(connection) }
}

extension Connection {
    /// Lines as text, without what ends them; a line that is no UTF-8 is a ``Rejection``. They end with CR LF, and have at most 16384 bytes.
    public var lines: ConnectionFrames<String> { lines() }

    /// Lines as text; see ``lines``.
    public func lines(delimiter: LineDelimiter = .crlf, lengthMax: Int = 16384) -> ConnectionFrames<String> {
        ConnectionFrames(LineFramer(delimiter: delimiter, lengthMax: lengthMax), of: self) { try String(validating: $0) }
    }

    /// Lines as bytes, without what ends them.
    public func byteLines(delimiter: LineDelimiter = .crlf, lengthMax: Int = 16384) -> ConnectionFrames<[UInt8]> {
        ConnectionFrames(LineFramer(delimiter: delimiter, lengthMax: lengthMax), of: self) { Array(copying: $0) }
    }

    /// Netstrings, of at most 99999 bytes.
    public var netstrings: ConnectionFrames<[UInt8]> {
        ConnectionFrames(NetstringFramer(), of: self) { Array(copying: $0) }
    }

    /// The frames that a framer finds. Lines that it skips are passed over.
    public func frames(of framer: some Framer) -> ConnectionFrames<[UInt8]> {
        ConnectionFrames(framer, of: self) { Array(copying: $0) }
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
    private let framer: PlainBox<Framing>

    @inline(__always)
    init(_ framer: Framing) {
        self.framer = PlainBox(framer)
    }

    var unfinishedBytes: [UInt8] { framer.value.unfinishedBytes }

    func takeUnfinishedBytes() -> [UInt8] { framer.value.takeUnfinishedBytes() }

    /// Makes something of the next frame that has arrived; nil where none has.
    @inline(__always)
    func takeFrame<Element>(from connection: Connection, _ make: (Span<UInt8>) throws -> Element) throws -> Element? {
        connection.use(self)
        guard !connection.intake.isEmpty else { return nil }
        return try connection.intake.read { unread, position in
            let frame = try framer.value.lendNext(in: unread, at: &position, make)
            if frame == nil { position = unread.count }
            return frame
        }
    }

    /// Calls with each frame to the end of the input.
    @inline(__always)
    nonisolated(nonsending) func forEach(on connection: Connection, _ body: (Span<UInt8>) throws -> Void) async throws {
        connection.use(self)
        while true {
            try takeAll(from: connection, body)
            if connection.isFull {
                try await connection.intake.waitForRoom()
            } else if try await !connection.waitForInput() {
                return
            }
        }
    }

    /// Calls with each frame that has arrived, unless too much waits to be sent.
    @inline(__always)
    private func takeAll(from connection: Connection, _ body: (Span<UInt8>) throws -> Void) throws {
        guard !connection.intake.isEmpty else { return }
        try connection.intake.read { unread, position in
            repeat {
                guard try framer.value.lendNext(in: unread, at: &position, body) != nil else {
                    position = unread.count
                    return
                }
            } while !connection.isFull
        }
    }
}
