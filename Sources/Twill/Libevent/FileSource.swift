#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A file that is read a piece at a time, from an offset on, to its end or for so many bytes.
///
/// ```swift
/// let file = try FileSource(path: "/srv/log", from: 4096)
/// try FileSender.beginFileTransfer(file, to: transport).addBoth { _ in transport.loseConnection() }
/// ```
///
/// Reading blocks the reactor's thread for the time of a disk read, as in Twisted, and every connection waits as long. The system reads ahead,
/// so that is short on a local disk; a file on a slow network mount is better copied first, with ``Reactor/deferToThread(_:)``.
///
/// The descriptor is not inherited by child processes. It is closed at the end, and when the source is dropped.
public final class FileSource: ByteSource {
    /// The file's path, as it was given.
    public let path: String
    /// How many bytes were read so far.
    public private(set) var readBytes: Int64 = 0

    private let offset: Int64
    private let count: Int64
    /// Negative once it is closed.
    private var descriptor: CInt

    /// Opens a file for reading.
    ///
    /// - Parameters:
    ///   - path: the path of a regular file, or of a link to one.
    ///   - offset: where to begin. Behind the end of the file there is nothing to read.
    ///   - count: how many bytes to read; nil for all up to the end. Where the file is shorter, its end is the end.
    /// - Throws: ``FileError``.
    public init(path: String, from offset: Int64 = 0, count: Int64? = nil) throws(FileError) {
        guard offset >= 0, count ?? 0 >= 0 else { throw .badRange(path: path, offset: offset, count: count) }
        self.path = path
        self.offset = offset
        // The sum of the two has to be an offset itself.
        self.count = min(count ?? .max, .max - offset)
        descriptor = try Self.open(path)
    }

    deinit { close() }

    /// Reads the next bytes; an empty array at the end, at which the file is closed.
    ///
    /// - Throws: ``FileError/cannotRead(path:_:)``.
    public func read(upTo count: Int) throws -> [UInt8] {
        let size = Int(min(Int64(count), self.count - readBytes))
        let bytes = size > 0 && descriptor >= 0 ? try readNext(size) : []
        readBytes += Int64(bytes.count)
        if bytes.isEmpty { close() }
        return bytes
    }

    private func readNext(_ size: Int) throws -> [UInt8] {
        try unsafe [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            var result = 0
            repeat {
                // Reads into the new array's own memory, at most as much as it has.
                result = unsafe pread(descriptor, buffer.baseAddress, size, off_t(offset + readBytes))
            } while result < 0 && systemErrno == EINTR
            guard result >= 0 else { throw FileError.cannotRead(path: path, SystemError(call: "pread")) }
            count = result
        }
    }

    private func close() {
        if descriptor >= 0 { systemClose(descriptor) }
        descriptor = -1
    }

    private static func open(_ path: String) throws(FileError) -> CInt {
        // C would take the part before it for the path.
        guard !path.utf8.contains(0) else { throw .cannotOpen(path: path, SystemError(call: "open", errno: EINVAL)) }
        // Without O_NONBLOCK, opening a pipe would wait for who writes to it.
        let descriptor = systemOpen(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw .cannotOpen(path: path, SystemError(call: "open")) }
        var status = stat()
        // The call fills the structure that it is lent, and keeps nothing of it.
        guard unsafe fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            systemClose(descriptor)
            throw .notAFile(path: path)
        }
        return descriptor
    }
}

extension Transport {
    /// How many bytes of a file are read at a time, and so the most that wait in memory.
    private static let fileChunkBytes = 64 << 10

    /// Sends a file, or a part of it, and tells how many bytes that were.
    ///
    /// It is read in pieces of 64 KiB, each when the one before has left, so memory stays bounded however slow the peer is. Reading blocks the
    /// reactor's thread for the time of a disk read. The transport has no other producer meanwhile; closing it waits for the file's end.
    ///
    /// ```swift
    /// try transport.sendFile("/srv/image.iso").addCallback { count in print("\(count) bytes") }
    /// transport.loseConnection()
    /// ```
    ///
    /// - Parameters:
    ///   - path: the path of a regular file.
    ///   - offset: where to begin.
    ///   - count: how many bytes to send, fewer where the file ends before; nil for all up to the end.
    /// - Returns: what fires when the last byte was handed to the transport. It fails with ``FileSenderError/connectionEnded(sentBytes:)`` or
    ///   ``FileError/cannotRead(path:_:)``; after a failed read the connection is still open.
    /// - Throws: ``FileError`` where the file can't be opened; ``ProducerError/alreadyRegistered``.
    public final func sendFile(_ path: String, from offset: Int64 = 0, count: Int64? = nil) throws -> Deferred<Int64> {
        let file = try FileSource(path: path, from: offset, count: count)
        return try FileSender.beginFileTransfer(file, to: self, chunkBytes: Self.fileChunkBytes).addCallback { _ in file.readBytes }
    }
}

/// What went wrong with a file.
public enum FileError: Error, Hashable, Sendable {
    /// The system did not open it.
    case cannotOpen(path: String, SystemError)
    /// It is a directory, a pipe or a device.
    case notAFile(path: String)
    /// The offset or the count is negative.
    case badRange(path: String, offset: Int64, count: Int64?)
    /// Reading it failed.
    case cannotRead(path: String, SystemError)
}

extension FileError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .cannotOpen(let path, let error): "Couldn't open \(path): \(error)"
        case .notAFile(let path): "Couldn't open \(path): only regular files can be read, and this is a directory, a pipe or a device"
        case .badRange(let path, let offset, let count):
            "Couldn't read \(path) from \(offset)\(count.map { " for \($0) bytes" } ?? ""): neither number may be negative"
        case .cannotRead(let path, let error): "Couldn't read \(path): \(error)"
        }
    }
}
