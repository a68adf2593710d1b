/// The event of a descriptor that becomes readable when another thread, or a signal, wants the reactor; it only notes that one did.
final class Bell {
    private unowned let loop: LibeventReactor
    private var event: Event?

    init(loop: LibeventReactor, descriptor: CInt) throws(SystemError) {
        self.loop = loop
        let event = unsafe try Event(
            base: loop.base, descriptor: descriptor, interest: [.read, .persist],
            callback: { _, _, context in
                guard let context = unsafe context else { return }
                // The bell frees its event when it goes, so that a callback always finds it.
                unsafe Unmanaged<Bell>.fromOpaque(context).takeUnretainedValue().loop.bellRang = true
            },
            context: Unmanaged.passUnretained(self).toOpaque())
        try event.add()
        self.event = consume event
    }
}
