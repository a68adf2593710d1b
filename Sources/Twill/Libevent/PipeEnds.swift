#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// What a stream connection reads from and writes to where that is no socket of the reactor's: pipes, terminals, files, and whatever a process
/// was given as its standard input and output.
///
/// It owns the descriptors, and closes each once, with the flags that it had before: others may share what lies behind it, a shell its terminal
/// for example. Nothing of the system's state machine is here; ``SocketTransport`` decides what is done and when.
final class PipeEnds {
    /// What lies behind a descriptor.
    enum Kind {
        /// A pipe's end, with or without a name.
        case pipe
        case socket
        case terminal
        /// A file, or a device that is no terminal: it is always ready, or at least says so.
        case file

        /// Whether closing a half of the connection closes the descriptor. What is in use in both directions is closed with the second one.
        var closesAlone: Bool { self == .pipe || self == .file }
    }

    /// One descriptor and what is to be put back at its end.
    private struct End {
        let descriptor: CInt
        let kind: Kind
        let flags: CInt

        /// Looks at a descriptor, and changes nothing.
        init(_ descriptor: CInt, writes: Bool) throws(SystemError) {
            self.descriptor = descriptor
            var status = stat()
            // The call fills the structure that it is lent.
            guard unsafe fstat(descriptor, &status) == 0 else { throw SystemError(call: "fstat") }
            flags = fcntl(descriptor, F_GETFL)
            guard flags >= 0 else { throw SystemError(call: "fcntl") }
            let mode = flags & O_ACCMODE
            guard mode == O_RDWR || mode == (writes ? O_WRONLY : O_RDONLY) else {
                throw SystemError(call: writes ? "write" : "read", errno: EBADF)
            }
            switch status.st_mode & S_IFMT {
            case S_IFIFO: kind = .pipe
            case S_IFSOCK: kind = .socket
            case S_IFDIR: throw SystemError(call: "read", errno: EISDIR)
            default: kind = isatty(descriptor) == 1 ? .terminal : .file
            }
        }

        /// Makes the descriptor fit for a loop. The standard three are not closed on exec: children get them.
        func prepare() throws(SystemError) {
            if kind != .file, flags & O_NONBLOCK == 0, fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) < 0 {
                throw SystemError(call: "fcntl")
            }
            if descriptor > 2 { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
        }

        func restore() {
            if kind != .file, flags & O_NONBLOCK == 0 { _ = fcntl(descriptor, F_SETFL, flags) }
        }
    }

    private let inputEnd: End?
    private let outputEnd: End?
    /// What copies a file into a pipe, whose other end is read here.
    private let pump: FilePump?
    private var outputWatch: Event?
    private var isOutputClosed = false
    private var isClosed = false
    /// Whether the other side is given time to end, and what it says until then is dropped.
    let drains: Bool

    /// Where bytes come from; nil for a stream that is only written to.
    var input: CInt? { pump?.pipe ?? inputEnd?.descriptor }
    /// Where bytes go to; nil for a stream that is only read.
    var output: CInt? { outputEnd?.descriptor }
    /// Whether a descriptor is the one that is written to. A closed one's number may be another's by now.
    func writes(to descriptor: CInt) -> Bool { !isOutputClosed && output == descriptor }
    /// The number under which the reactor keeps the connection.
    var key: CInt { input ?? output ?? -1 }

    /// Takes descriptors over; where it throws, they are as they were.
    init(input: CInt?, output: CInt?, drains: Bool = false) throws(SystemError) {
        guard input != nil || output != nil else { throw SystemError(call: "fstat", errno: EBADF) }
        // Both are looked at before either is changed: they may be one terminal.
        var (reading, writing): (End?, End?)
        if let input { reading = try End(input, writes: false) }
        if let output { writing = try End(output, writes: true) }
        var pump: FilePump?
        do throws(SystemError) {
            try reading?.prepare()
            try writing?.prepare()
            // epoll knows no files, so a thread waits for their bytes.
            if let reading, reading.kind == .file { pump = try FilePump(from: reading.descriptor) }
        } catch {
            writing?.restore()
            reading?.restore()
            throw error
        }
        (inputEnd, outputEnd, self.pump, self.drains) = (reading, writing, pump, drains)
    }

    /// Whether it is a socket after all, handed down by another process; it is asked and told as one.
    var isSocket: Bool { inputEnd?.kind == .socket && outputEnd?.kind == .socket }

    /// Whether what can end by itself is watched, so that nobody needs to look now and then.
    var endIsTold: Bool { inputEnd == nil && (outputWatch != nil || outputEnd?.kind == .file) }

    /// Whether closing waits for the other side.
    var lingers: Bool {
        guard let input else { return false }
        return drains || (isSocket && Socket(descriptor: input).wouldResetOnClose)
    }

    /// Reads what is there; the number of bytes, 0 at the end, -1 with errno.
    func read(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        guard let input else { return 0 }
        let count = unsafe systemRead(input, buffer)
        if count == 0, let failure = pump?.failure {
            errno = failure
            return -1
        }
        // The other side of a terminal is gone: that is its way to end.
        if count < 0, errno == EIO, inputEnd?.kind == .terminal { return 0 }
        return count
    }

    /// Writes what the system takes; the number of bytes, or -1 with errno.
    func write(_ bytes: UnsafeRawBufferPointer) -> Int {
        guard let outputEnd, !isOutputClosed else {
            errno = EPIPE
            return -1
        }
        guard outputEnd.kind == .file else { return unsafe systemWrite(outputEnd.descriptor, bytes) }
        // A file takes everything, or fails. No loop could tell when it takes more.
        var written = 0
        while written < bytes.count {
            let count = unsafe systemWrite(outputEnd.descriptor, UnsafeRawBufferPointer(rebasing: bytes[written...]))
            if count < 0, errno == EAGAIN {
                var poll = pollfd(fd: outputEnd.descriptor, events: Int16(POLLOUT), revents: 0)
                _ = unsafe systemPoll(&poll, 1, 1000)
            } else if count < 0, errno != EINTR {
                return -1
            }
            written += max(0, count)
        }
        return written
    }

    /// Begins to watch whether somebody still reads what goes into the pipe, where nothing is read that would tell of an end. Where something
    /// is, the other side may close one pipe before the other, and go on; and anything but a pipe says so when it is written to.
    func watchOutput(for transport: SocketTransport) throws(SystemError) {
        guard inputEnd == nil, let outputEnd, outputEnd.kind == .pipe, outputEnd.flags & O_ACCMODE == O_WRONLY, !isOutputClosed,
            outputWatch == nil
        else { return }
        let event = unsafe try Event(
            base: transport.loop.base, descriptor: outputEnd.descriptor, interest: [.read, .persist],
            callback: { _, _, context in
                unsafe SocketTransport.withContext(context) { $0.pipes?.outputHungUp(of: $0) }
            },
            context: Unmanaged.passUnretained(transport).toOpaque())
        // The writing end of a pipe has nothing to read: what comes is its failure.
        try event.add()
        outputWatch = consume event
    }

    private func outputHungUp(of transport: SocketTransport) {
        outputWatch = nil
        transport.outputHungUp()
    }

    /// What can be known of the end without taking input.
    func peekAtEnd(expectsInput: Bool) -> Socket.End {
        if isSocket, let input { return Socket(descriptor: input).peekAtEnd(expectsInput: expectsInput) }
        guard expectsInput, let input else { return outputHasBroken ? .broken(SystemError(call: "write", errno: EPIPE)) : .open }
        let events = Self.poll(input, Int16(POLLIN))
        if events & Int16(POLLIN) != 0 { return .open }
        return events & Int16(POLLHUP | POLLERR | POLLNVAL) != 0 ? .closed : .open
    }

    private var outputHasBroken: Bool {
        guard let outputEnd, !isOutputClosed else { return false }
        return Self.poll(outputEnd.descriptor, 0) & Int16(POLLERR | POLLHUP | POLLNVAL) != 0
    }

    private static func poll(_ descriptor: CInt, _ events: Int16) -> Int16 {
        var poll = pollfd(fd: descriptor, events: events, revents: 0)
        // One structure of this frame's own is lent, and no time is waited.
        return unsafe systemPoll(&poll, 1, 0) > 0 ? poll.revents : 0
    }

    /// Says that nothing more will be written.
    func closeOutput() {
        outputWatch = nil
        guard let outputEnd, !isOutputClosed else { return }
        if outputEnd.kind == .socket { Socket(descriptor: outputEnd.descriptor).shutdownWriting() }
        guard outputEnd.kind.closesAlone, outputEnd.descriptor != inputEnd?.descriptor else { return }
        isOutputClosed = true
        outputEnd.restore()
        systemCloseOrEmpty(outputEnd.descriptor)
    }

    /// Closes everything, once. The events must be gone from the loop by then.
    func close() {
        guard !isClosed else { return }
        isClosed = true
        outputWatch = nil
        // First the flags of both, which may be those of one terminal.
        if !isOutputClosed { outputEnd?.restore() }
        inputEnd?.restore()
        if let outputEnd, !isOutputClosed, outputEnd.descriptor != inputEnd?.descriptor { systemCloseOrEmpty(outputEnd.descriptor) }
        isOutputClosed = true
        if let pump { pump.stop() } else if let inputEnd { systemCloseOrEmpty(inputEnd.descriptor) }
    }
}
