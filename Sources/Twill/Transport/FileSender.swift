/// Where a ``FileSender`` takes its bytes from: a file, or anything else that is read a piece at a time.
///
/// ```swift
/// final class Zeros: ByteSource {
///     var left = 1_000_000
///     func read(upTo count: Int) -> [UInt8] {
///         let size = min(count, left)
///         left -= size
///         return [UInt8](repeating: 0, count: size)
///     }
/// }
/// ```
///
/// Twisted: the file object that `FileSender` reads.
public protocol ByteSource: AnyObject {
    /// Reads the next bytes, at least one and at most `count`; an empty array says that the end was reached.
    ///
    /// Called on the reactor's thread, which waits for it. Not called again after the end or an error.
    func read(upTo count: Int) throws -> [UInt8]
}

/// Sends all of a source's bytes over a connection, one chunk each time the connection has room: a pull producer.
///
/// ```swift
/// try FileSender.beginFileTransfer(FileSource(path: "/srv/motd"), to: transport, transform: { $0.map { $0 ^ 0x20 } })
///     .addBoth { _ in transport.loseConnection() }
/// ```
///
/// ``Transport/sendFile(_:from:count:)`` is shorter where the bytes of a file go out as they are.
///
/// # Contract
/// - One chunk at a time is in memory, whatever the size of the source and the speed of the peer.
/// - A read that fails, or a transform that throws, fails the `Deferred`; the connection stays open, with what was sent before. Twisted drops
///   the connection and never fires the `Deferred`.
/// - The source is let go as soon as the transfer has ended.
/// - Not guaranteed: that the peer received anything. The `Deferred` fires when the last chunk was handed to the transport.
///
/// Twisted: `FileSender`.
public final class FileSender: Producer {
    /// What a chunk is changed to on its way. It may become longer or shorter, or nothing at all.
    public typealias Transform = ([UInt8]) throws -> [UInt8]

    /// How many bytes are read at a time unless told otherwise: 16 KiB. Twisted: `CHUNK_SIZE`.
    public static let chunkBytes = 16 << 10

    private var source: (any ByteSource)?
    private let transport: Transport
    private let chunkBytes: Int
    private let transform: Transform
    private let result = Deferred<UInt8?>()
    private var lastByte: UInt8?
    private var sentBytes = 0

    private init(_ source: any ByteSource, _ transport: Transport, _ chunkBytes: Int, _ transform: @escaping Transform) {
        self.source = source
        self.transport = transport
        self.chunkBytes = max(1, chunkBytes)
        self.transform = transform
    }

    /// Sends the source to its end, and tells the last byte that was sent; nil where there was none.
    ///
    /// Closing the connection meanwhile waits for the end of the transfer.
    ///
    /// - Parameters:
    ///   - source: where the bytes come from.
    ///   - transport: where they go. It has no other producer until the transfer has ended.
    ///   - chunkBytes: how many bytes are read at a time; at least one.
    ///   - transform: what each chunk is changed to before it is sent.
    /// - Returns: what fires when the end of the source was reached. It fails with ``FileSenderError/connectionEnded(sentBytes:)`` where
    ///   the connection ends before, and with the source's or the transform's own error.
    /// - Throws: ``ProducerError/alreadyRegistered`` where the transport has a producer.
    public static func beginFileTransfer(
        _ source: any ByteSource, to transport: Transport, chunkBytes: Int = FileSender.chunkBytes,
        transform: @escaping Transform = { $0 }
    ) throws -> Deferred<UInt8?> {
        let sender = FileSender(source, transport, chunkBytes, transform)
        try transport.registerProducer(sender, streaming: false)
        return sender.result
    }

    /// Called by the transport when it has room: reads and sends one chunk, or finds the end.
    public func resumeProducing() {
        guard let source else { return }
        do {
            var chunk: [UInt8]
            repeat {
                let bytes = try source.read(upTo: chunkBytes)
                guard !bytes.isEmpty else {
                    transport.unregisterProducer()
                    return end(.success(lastByte))
                }
                chunk = try transform(bytes)
                // A producer that writes nothing would not be called again.
            } while chunk.isEmpty
            lastByte = chunk.last
            sentBytes += chunk.count
            transport.write(chunk)
        } catch {
            transport.unregisterProducer()
            end(.failure(error))
        }
    }

    /// Called by the transport when the connection has ended too early.
    public func stopProducing() {
        end(.failure(FileSenderError.connectionEnded(sentBytes: sentBytes)))
    }

    private func end(_ outcome: Result<UInt8?, any Error>) {
        guard source != nil else { return }
        source = nil
        // It has not fired: this is done once.
        try? result.fire(outcome)
    }
}

/// Why a ``FileSender`` did not come to the end of its source.
public enum FileSenderError: Error, Hashable, CustomStringConvertible, Sendable {
    /// The connection was lost; so many bytes had been handed to it. Twisted: "Consumer asked us to stop producing".
    case connectionEnded(sentBytes: Int)

    public var description: String {
        switch self {
        case .connectionEnded(let sentBytes): "the connection ended before the end of the file, after \(sentBytes) bytes"
        }
    }
}
