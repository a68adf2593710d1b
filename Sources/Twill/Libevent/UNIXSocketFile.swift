#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// The file of a listening UNIX socket, and its lock: made without a moment in which too many may connect, and taken away again if it is still
/// the same one.
///
/// What is no socket is never touched. A socket that nobody listens on any more is removed, which is found out by connecting to it.
final class UNIXSocketFile {
    private let path: String
    private let identity: FileIdentity
    private let lock: LockFile?

    private init(path: String, identity: FileIdentity, lock: LockFile?) {
        self.path = path
        self.identity = identity
        self.lock = lock
    }

    /// Takes over the file of a socket that was taken over; nil where there is none. Its lock is whoever's it was.
    convenience init?(takingOver path: String) {
        guard !path.hasPrefix("@"), let identity = FileIdentity(path), identity.isSocket else { return nil }
        self.init(path: path, identity: identity, lock: nil)
    }

    /// Binds a socket to a path, with a mode.
    static func bind(_ socket: Socket, to binding: UNIXBinding) throws(ListenError) -> UNIXSocketFile {
        let path = binding.path
        let lock = binding.wantsLock ? try LockFile(path: path + ".lock", for: path) : nil
        do {
            try removeStale(path)
            try bind(socket, to: path, mode: binding.mode)
        } catch {
            lock?.remove()
            throw error
        }
        guard let identity = FileIdentity(path) else {
            lock?.remove()
            throw ListenError.failed.on(path, because: SystemError(call: "lstat"))
        }
        return UNIXSocketFile(path: path, identity: identity, lock: lock)
    }

    /// Takes the file away, unless another server has put its own there, and lets the lock go.
    func remove() {
        if FileIdentity(path) == identity { _ = unsafe unlink(path) }
        lock?.remove()
    }

    private static func removeStale(_ path: String) throws(ListenError) {
        guard let found = FileIdentity(path) else { return }
        guard found.isSocket else { throw ListenError.notASocket.on(path) }
        do throws(SystemError) {
            let probe = try Socket.stream(for: .unix(path))
            defer { probe.close() }
            try probe.connect(to: .unix(path))
        } catch {
            if error.errno == ENOENT { return }
            guard error.errno == ECONNREFUSED else { throw ListenError.addressInUse.on(path, because: error) }
            // Nobody listens. Whoever else comes at this moment is kept away by the lock.
            guard FileIdentity(path) == found, unsafe unlink(path) == 0 else {
                throw ListenError.addressInUse.on(path, because: error)
            }
            return
        }
        throw ListenError.addressInUse.on(path)
    }

    private static func bind(_ socket: Socket, to path: String, mode: UInt16) throws(ListenError) {
        let mode = mode_t(mode & 0o777)
        #if canImport(Darwin)
        // There the mode of a socket's file is what the mask leaves of everything; the mask is the whole process's, for this moment.
        let mask = umask(~mode & 0o777)
        defer { umask(mask) }
        #else
        // The file gets the mode of the socket, less the process's mask: never too much.
        _ = fchmod(socket.descriptor, mode)
        #endif
        do {
            try socket.bind(to: .unix(path))
        } catch {
            let kind: ListenError =
                switch error.errno {
                case EADDRINUSE: .addressInUse
                case EACCES, EPERM, EROFS: .permissionDenied
                case ENOENT, ENOTDIR: .missingFolder
                case ENAMETOOLONG, EINVAL, EAFNOSUPPORT: .badPath
                default: .failed
                }
            throw kind.on(path, because: error)
        }
        // What the mask took away is given back.
        _ = unsafe chmod(path, mode)
    }
}

/// Which file a path leads to, a link itself and not what it leads to.
struct FileIdentity: Equatable {
    private let device: UInt64
    private let inode: UInt64
    let isSocket: Bool

    /// Nil where there is no such file.
    init?(_ path: String) {
        var status = stat()
        guard unsafe lstat(path, &status) == 0 else { return nil }
        self.init(status)
    }

    /// The file behind a descriptor.
    init?(descriptor: CInt) {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { return nil }
        self.init(status)
    }

    private init(_ status: stat) {
        device = UInt64(truncatingIfNeeded: status.st_dev)
        inode = UInt64(truncatingIfNeeded: status.st_ino)
        isSocket = status.st_mode & S_IFMT == S_IFSOCK
    }
}

/// A file that is locked for as long as its process lives, or until it is removed.
final class LockFile {
    private let path: String
    private let descriptor: CInt

    /// - Throws: ``ListenError/addressInUse`` where another process holds the lock.
    init(path: String, for address: String) throws(ListenError) {
        self.path = path
        while true {
            let descriptor = systemCreate(path)
            guard descriptor >= 0 else {
                let error = SystemError(call: "open")
                let kind: ListenError =
                    switch error.errno {
                    case ENOENT, ENOTDIR: .missingFolder
                    case EACCES, EPERM, EROFS: .permissionDenied
                    case ENAMETOOLONG: .badPath
                    default: .failed
                    }
                throw kind.on(address, because: error)
            }
            guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
                let error = SystemError(call: "flock")
                systemClose(descriptor)
                throw ListenError.addressInUse.on(address, because: error)
            }
            // Who held it before may have removed it between the two calls; then this is the lock of nothing.
            if let own = FileIdentity(descriptor: descriptor), own == FileIdentity(path) {
                self.descriptor = descriptor
                return
            }
            systemClose(descriptor)
        }
    }

    func remove() {
        // First the name, then the lock: who waits for the lock sees that it lost its name.
        _ = unsafe unlink(path)
        systemClose(descriptor)
    }
}
