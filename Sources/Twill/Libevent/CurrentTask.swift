/// The task that runs.
enum CurrentTask {
    /// Which one it is, among those that are alive; 0 where none is.
    @inline(__always)
    static var identity: UInt {
        // Where it lies in memory: one word, which is compared and never made a reference again.
        unsafe withUnsafeCurrentTask { unsafe unsafeBitCast($0, to: UInt.self) }
    }
}
