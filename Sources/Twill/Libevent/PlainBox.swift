/// A value of a class's in memory of its own, for what changes with each message: as a field, each change would cost an exclusivity check.
///
/// Whoever has one uses it on one thread, and calls nobody from inside an access who could come back to it; it lives and ends with its owner.
/// That is what makes the pointer valid and each access the only one.
@safe
struct PlainBox<Value>: ~Copyable {
    private let memory: UnsafeMutablePointer<Value>

    init(_ value: Value) {
        unsafe memory = .allocate(capacity: 1)
        unsafe memory.initialize(to: value)
    }

    deinit {
        unsafe memory.deinitialize(count: 1)
        unsafe memory.deallocate()
    }

    var value: Value {
        @inline(__always)
        _read { yield unsafe memory.pointee }
        @inline(__always)
        nonmutating _modify { yield unsafe &memory.pointee }
    }
}
