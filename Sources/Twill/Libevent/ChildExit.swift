import CLibevent
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Learns of one child's end, without a handler for SIGCHLD and without waiting for anybody else's children.
///
/// On Linux a descriptor of the process becomes readable then. Elsewhere, and where the system gives no such descriptor, a thread waits. Until
/// ``reap()`` has said how the child ended, its number is nobody else's.
final class ChildExit {
    private let loop: LibeventReactor
    private let number: CInt
    private let call: () -> Void
    private var descriptor: CInt = -1
    private var event: Event?
    private var thread: WaitingThread?

    /// Begins to watch a child of this process; `call` is made once, on a later turn, when it has ended. Its owner keeps this object until then.
    init(of number: CInt, loop: LibeventReactor, call: @escaping () -> Void) throws(SystemError) {
        self.loop = loop
        self.number = number
        self.call = call
        if loop.watchesProcessDescriptors { descriptor = twill_process_descriptor(number) }
        if descriptor >= 0 {
            do throws(SystemError) {
                try watchDescriptor()
                return
            } catch {
                systemClose(descriptor)
                descriptor = -1
            }
        }
        let bound = ReactorBound(call)
        thread = try WaitingThread(for: number, handle: loop.handle) { bound.value() }
    }

    deinit {
        // The event goes before its descriptor.
        event = nil
        if descriptor >= 0 { systemClose(descriptor) }
    }

    private func watchDescriptor() throws(SystemError) {
        let event = unsafe try Event(
            base: loop.base, descriptor: descriptor, interest: [.read, .persist],
            callback: { _, _, context in
                guard let context = unsafe context else { return }
                // Going away frees the event first, so that a callback always finds its owner.
                unsafe Unmanaged<ChildExit>.fromOpaque(context).takeUnretainedValue().ended()
            },
            context: Unmanaged.passUnretained(self).toOpaque())
        try event.add()
        self.event = consume event
    }

    private func ended() {
        guard loop.isRunning else { return }
        loop.beginCallback()
        call()
        loop.endCallback()
    }

    /// Sends a signal to the child and nobody else; the error number, or 0.
    func send(_ signal: ProcessSignal) -> CInt {
        let failed = descriptor >= 0 ? twill_process_signal(descriptor, signal.rawValue) != 0 : kill(number, signal.rawValue) != 0
        return failed ? systemErrno : 0
    }

    /// How the child ended, once; nil where it has not.
    func reap() -> ProcessEnd? { Self.reap(number, options: WNOHANG) }

    static func reap(_ number: CInt, options: CInt) -> ProcessEnd? {
        var status: CInt = 0
        while true {
            // The call fills a number of this frame's own.
            let found = unsafe waitpid(number, &status, options)
            if found == number { return ProcessEnd(waitStatus: status) }
            if found == 0 { return nil }
            // No such child: somebody else has been told how it ended, or nobody.
            if systemErrno != EINTR { return ProcessEnd(.unknown) }
        }
    }

    /// Waits in a thread for the end of a child that nobody wants to know about.
    static func reapLater(_ number: CInt) {
        // Where no thread can be had, the system keeps a few words about the child until this process ends.
        try? systemRunInThread { _ = reap(number, options: 0) }
    }

    /// Nobody wants to know any more: when the child ends, a thread takes note, so that nothing of it stays in the system.
    func leave() {
        event = nil
        if let thread { return thread.leave() }
        Self.reapLater(number)
    }
}

/// A thread that waits for one child, and leaves to others to ask how it ended.
private final class WaitingThread: Sendable {
    private enum State {
        case waiting, ended, left
    }

    private let number: CInt
    private let state = Mutex(State.waiting)

    init(for number: CInt, handle: ReactorHandle, call: @escaping @Sendable () -> Void) throws(SystemError) {
        self.number = number
        try systemRunInThread { [self] in
            wait()
            let wasLeft = state.withLock { state in
                defer { state = .ended }
                return state == .left
            }
            if wasLeft { _ = ChildExit.reap(number, options: 0) } else { handle.callFromThread { _ in call() } }
        }
    }

    /// Waits for the end, which the system goes on remembering.
    private func wait() {
        var information = unsafe siginfo_t()
        // The call fills the structure that it is lent.
        while unsafe waitid(P_PID, id_t(number), &information, WEXITED | WNOWAIT) != 0, systemErrno == EINTR {}
    }

    func leave() {
        let hasEnded = state.withLock { state in
            defer { if state == .waiting { state = .left } }
            return state == .ended
        }
        if hasEnded { _ = ChildExit.reap(number, options: WNOHANG) }
    }
}
