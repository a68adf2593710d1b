import CLibevent

/// Which thread something happens on: a number that no two threads have at the same time.
enum ThreadIdentity {
    /// The number of this thread; never 0.
    @inline(never)
    static var current: UInt { UInt(twill_thread()) }
}
