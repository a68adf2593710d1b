/// A reference to a layer that its owner counts once, and not for each message that passes it: weak references make counting a layer slow.
///
/// Its owner releases it in its own deinit, and takes hold of a layer once.
@safe
struct HeldLayer {
    private var reference: Unmanaged<TLSTransport>?

    init() {
        unsafe reference = nil
    }

    /// Takes hold of a layer; called once.
    mutating func hold(_ layer: TLSTransport) {
        unsafe reference = Unmanaged.passRetained(layer)
    }

    /// Lets go.
    func release() {
        unsafe reference?.release()
    }

    /// The layer, counted as usual.
    var layer: TLSTransport? { unsafe reference?.takeUnretainedValue() }

    /// Makes a call on the layer, if there is one.
    @inline(__always)
    func call(_ body: (TLSTransport) -> Void) {
        guard let reference = unsafe reference else { return }
        // The owner holds it until the call has returned: the transport below holds the owner.
        unsafe reference._withUnsafeGuaranteedRef(body)
    }
}
