/// A reference that its owner counts once, when it takes it and when it lets go, and not for each call through it: for the two references
/// that every message passes, from a transport to its protocol and back.
///
/// Its owner releases it, at the latest in its own deinit, and never while a call through it is running.
@safe
struct HeldReference<Object: AnyObject>: BitwiseCopyable {
    private let reference: Unmanaged<Object>?

    /// Takes hold of an object, or of nothing.
    init(_ object: Object?) {
        unsafe reference = object.map { unsafe Unmanaged.passRetained($0) }
    }

    /// Lets go; the owner calls it once for each object that it took.
    func release() {
        unsafe reference?.release()
    }

    /// The object, counted as usual.
    @inline(__always)
    var object: Object? { unsafe reference?.takeUnretainedValue() }

    /// Whether there is an object.
    @inline(__always)
    var isEmpty: Bool { unsafe reference == nil }

    /// Makes a call on the object, if there is one.
    @inline(__always)
    func call<Outcome>(_ body: (Object) throws -> Outcome) rethrows -> Outcome? {
        guard let reference = unsafe reference else { return nil }
        // The owner holds the object until the call has returned.
        return try unsafe reference._withUnsafeGuaranteedRef(body)
    }
}
