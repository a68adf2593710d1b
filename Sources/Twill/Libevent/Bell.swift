/// The event that a ring of another thread, or of a signal, sets off; it only notes that there was one.
final class Bell {
    private(set) var rang = false
    private let source: WakeUp?
    private var event: Event?

    /// Hears a reactor's own bell, and silences it.
    convenience init(base: EventBase, wakeUp: WakeUp) throws(SystemError) {
        try self.init(base: base, descriptor: wakeUp.readEnd, source: wakeUp)
    }

    /// Hears a descriptor that somebody else silences.
    convenience init(base: EventBase, descriptor: CInt) throws(SystemError) {
        try self.init(base: base, descriptor: descriptor, source: nil)
    }

    private init(base: EventBase, descriptor: CInt, source: WakeUp?) throws(SystemError) {
        self.source = source
        let event = unsafe try Event(
            base: base, descriptor: descriptor, interest: [.read, .persist],
            callback: { _, _, context in
                guard let context = unsafe context else { return }
                // The bell frees its event when it goes, so that a callback always finds it.
                unsafe Unmanaged<Bell>.fromOpaque(context).takeUnretainedValue().ring()
            },
            context: Unmanaged.passUnretained(self).toOpaque())
        try event.add()
        self.event = consume event
    }

    private func ring() {
        source?.silence()
        rang = true
    }

    /// Whether it rang since it was asked last.
    func takeRing() -> Bool {
        defer { rang = false }
        return rang
    }
}
