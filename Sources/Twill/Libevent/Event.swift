import CLibevent

/// One libevent event: a descriptor or a time that the loop watches, and the function it calls.
///
/// The one owner of its `event`: going out of scope takes it out of the loop and frees it. Nothing here keeps the context alive; its
/// owner must outlive the event.
@safe
struct Event: ~Copyable {
    private let pointer: OpaquePointer

    /// What an event waits for; each member names its C constant.
    struct Interest: OptionSet {
        let rawValue: CShort

        /// `EV_READ`
        static let read = Interest(rawValue: CShort(EV_READ))
        /// `EV_WRITE`
        static let write = Interest(rawValue: CShort(EV_WRITE))
        /// `EV_PERSIST`: stays in the loop after it fired.
        static let persist = Interest(rawValue: CShort(EV_PERSIST))
    }

    /// Makes an event that is not in the loop yet.
    init(
        base: EventBase, descriptor: CInt, interest: Interest, callback: @escaping event_callback_fn, context: UnsafeMutableRawPointer?
    ) throws(SystemError) {
        guard descriptor <= base.descriptorMax else { throw SystemError(call: "select", errno: EMFILE) }
        // A nil comes from a failed allocation or impossible flags; both leave errno as it was.
        guard let event = unsafe event_new(base.pointer, descriptor, interest.rawValue, callback, context) else {
            throw SystemError(call: "event_new", errno: ENOMEM)
        }
        unsafe pointer = event
    }

    deinit {
        unsafe event_free(pointer)
    }

    /// Puts the event into the loop; for one that is there already it changes nothing but the time.
    func add(after delay: Duration? = nil) throws(SystemError) {
        let failed: Bool
        if let delay {
            var time = timeval(rounding: delay)
            failed = unsafe event_add(pointer, &time) != 0
        } else {
            failed = unsafe event_add(pointer, nil) != 0
        }
        if failed { throw SystemError(call: "event_add") }
    }

    /// Takes the event out of the loop; it can be put back.
    func remove() {
        unsafe event_del(pointer)
    }
}

extension timeval {
    /// The duration in microseconds, rounded up so that the loop does not wake before it is over.
    init(rounding duration: Duration) {
        let nanoseconds = max(0, min(duration.clampedNanoseconds, 1 << 60))
        let microseconds = (nanoseconds + 999) / 1000
        self.init(tv_sec: numericCast(microseconds / 1_000_000), tv_usec: numericCast(microseconds % 1_000_000))
    }
}
