/// The counters of a port's connections, or of all outgoing ones.
///
/// Plain memory, because each message counts: counting in a class's field would cost an exclusivity check. Every connection that counts here
/// holds its ``SocketTransport/Settings``, which hold this. Only the reactor's thread touches it.
@safe
struct ConnectionCounters {
    private let values: UnsafeMutablePointer<ConnectionStatistics>

    init() {
        unsafe values = UnsafeMutablePointer.allocate(capacity: 1)
        unsafe values.initialize(to: ConnectionStatistics())
    }

    /// Gives the memory back; whoever made it calls this once, when nobody counts any more.
    func free() {
        unsafe values.deinitialize(count: 1)
        unsafe values.deallocate()
    }

    /// What was counted so far.
    var current: ConnectionStatistics { unsafe values.pointee }

    /// Changes a counter; `change` calls nobody who counts.
    @inline(__always)
    func count(_ change: (inout ConnectionStatistics) -> Void) {
        unsafe change(&values.pointee)
    }
}
