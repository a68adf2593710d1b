import Twill

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// The signals that are for the runner: no thread is interrupted by them, and one thread waits for them.
///
/// They are blocked before any other thread is there, which inherits that. Child processes are started without.
struct ProcessSignals: Sendable {
    /// SIGTERM and SIGINT, which stop, and SIGHUP, which opens the log anew and reloads; without those that the process was told to ignore, by `nohup` or by a
    /// shell that started it in the background.
    let numbers: [CInt]

    /// Blocks them from now on; called on the first thread, before there is another one. A reader that goes away is an error of the call that writes,
    /// and no signal.
    init() {
        _ = signal(SIGPIPE, SIG_IGN)
        numbers = [SIGTERM, SIGINT, SIGHUP].filter { !Self.isIgnored($0) }
        var set = Self.set(of: numbers)
        // The call reads a structure of this frame's own.
        _ = unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
    }

    /// Tells of each one that comes, on a thread of its own, for as long as the process lives.
    func listen(_ tell: @escaping @Sendable (CInt) -> Void) throws(SystemError) {
        let numbers = numbers
        guard !numbers.isEmpty else { return }
        try SystemThread.start {
            var set = Self.set(of: numbers)
            while true {
                var number: CInt = 0
                // The call reads the one and fills the other, both of this frame's own.
                if unsafe sigwait(&set, &number) == 0 { tell(number) }
            }
        }
    }

    private static func isIgnored(_ number: CInt) -> Bool {
        var action = sigaction()
        // The call fills a structure of this frame's own.
        guard unsafe sigaction(number, nil, &action) == 0 else { return false }
        // SIG_IGN is the address 1, whatever the type says; asking a union for its handler reads as many bytes as a pointer has.
        #if canImport(Darwin)
        return unsafe unsafeBitCast(action.__sigaction_u.__sa_handler, to: Int.self) == 1
        #elseif canImport(Musl)
        return unsafe unsafeBitCast(action.__sa_handler.sa_handler, to: Int.self) == 1
        #else
        return unsafe unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == 1
        #endif
    }

    private static func set(of numbers: [CInt]) -> sigset_t {
        var set = sigset_t()
        // These calls fill a structure of this frame's own.
        unsafe sigemptyset(&set)
        for number in numbers { unsafe sigaddset(&set, number) }
        return set
    }
}
