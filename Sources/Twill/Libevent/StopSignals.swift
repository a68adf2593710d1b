import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// SIGINT and SIGTERM of this process: each stops every reactor that runs with signal handlers installed.
///
/// A handler may do next to nothing, so it only rings; a reactor that watches the bell then tells all of them. libevent's own signal events serve
/// one loop per process only.
enum StopSignals {
    private static let numbers = [SIGINT, SIGTERM]

    private struct State {
        var subscribers: [ObjectIdentifier: ReactorHandle] = [:]
        var previous: [(number: CInt, handler: Disposition)] = []
    }

    /// What the process did with a signal before. A C function, or one of the constants that look like one.
    private struct Disposition: @unchecked Sendable {
        // A function pointer is only a number; nothing is behind it that threads could race for.
        // None at all is the default, SIG_DFL: its address is 0.
        let handler: (@convention(c) (CInt) -> Void)?
    }

    private static let state = Mutex(State())

    /// The bell, made at the first use and kept for the life of the process, because a handler may run at any time.
    private static let bell: Result<WakeUp, SystemError> = Result { () throws(SystemError) in
        let bell = try WakeUp()
        bellToRing.store(unsafe Int(bitPattern: Unmanaged.passRetained(bell).toOpaque()), ordering: .releasing)
        return bell
    }

    /// The bell again, as an address that the handler can read without a lock.
    private static let bellToRing = Atomic<Int>(0)

    /// The descriptor that becomes readable when a signal has come.
    static func descriptor() throws(SystemError) -> CInt {
        try bell.get().readEnd
    }

    /// Begins to stop a reactor at signals; the first one installs the handlers. Called on the reactor's thread.
    ///
    /// A process that a thread with blocked signals started has them blocked too, and would never be told: so they are let through here.
    static func subscribe(_ handle: ReactorHandle) {
        letThrough()

        state.withLock { state in
            state.subscribers[ObjectIdentifier(handle)] = handle
            guard state.subscribers.count == 1 else { return }
            for number in numbers {
                let previous = signal(number) { _ in StopSignals.ring() }
                if isIgnored(previous) {
                    // Started in the background by a shell, or under nohup: the process was told not to hear it.
                    _ = signal(number, previous)
                } else {
                    state.previous.append((number, Disposition(handler: previous)))
                }
            }
        }
    }

    /// Ends that; the last one puts back what was there before.
    static func unsubscribe(_ handle: ReactorHandle) {
        state.withLock { state in
            guard state.subscribers.removeValue(forKey: ObjectIdentifier(handle)) != nil, state.subscribers.isEmpty else { return }
            for (number, disposition) in state.previous {
                _ = signal(number, disposition.handler)
            }
            state.previous = []
        }
    }

    /// Stops all subscribers if a signal has come; called by the reactors, each of which may be the first to see it.
    static func dispatch() {
        guard case .success(let bell) = bell, bell.silence() else { return }
        let handles = state.withLock { Array($0.subscribers.values) }
        for handle in handles {
            handle.stop()
        }
    }

    /// Runs inside the signal handler.
    private static func ring() {
        let address = bellToRing.load(ordering: .acquiring)
        guard let pointer = unsafe UnsafeRawPointer(bitPattern: address) else { return }
        let saved = errno
        // The bell was retained when its address was stored, and is never released.
        unsafe Unmanaged<WakeUp>.fromOpaque(pointer)._withUnsafeGuaranteedRef { $0.ring() }
        errno = saved
    }

    private static func letThrough() {
        var set = sigset_t()
        unsafe sigemptyset(&set)
        for number in numbers {
            unsafe sigaddset(&set, number)
        }
        _ = unsafe pthread_sigmask(SIG_UNBLOCK, &set, nil)
    }

    private static func isIgnored(_ handler: (@convention(c) (CInt) -> Void)?) -> Bool {
        // SIG_IGN is the address 1, whatever the type says.
        unsafe unsafeBitCast(handler, to: Int.self) == 1
    }
}
