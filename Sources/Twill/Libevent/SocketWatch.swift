/// A watch on a descriptor that belongs to the user.
final class SocketWatch: DescriptorWatch {
    private let loop: LibeventReactor
    private let call: (Readiness) throws -> Void
    private var event: Event?

    init(loop: LibeventReactor, descriptor: CInt, readiness: Readiness, call: @escaping (Readiness) throws -> Void) throws(SystemError) {
        // libevent would make room for all descriptors up to this one first, and report whatever error number lies about.
        guard systemIsOpen(descriptor) else { throw SystemError(call: "fcntl") }
        self.loop = loop
        self.call = call
        var interest: Event.Interest = .persist
        if readiness.contains(.readable) { interest.insert(.read) }
        if readiness.contains(.writable) { interest.insert(.write) }
        let event = unsafe try Event(
            base: loop.base, descriptor: descriptor, interest: interest,
            callback: { _, what, context in
                guard let context = unsafe context else { return }
                // Going away frees the event first, so that a callback always finds its watch.
                unsafe Unmanaged<SocketWatch>.fromOpaque(context).takeUnretainedValue().ready(Event.Interest(rawValue: what))
            },
            context: Unmanaged.passUnretained(self).toOpaque())
        try event.add()
        self.event = consume event
    }

    func cancel() {
        event = nil
    }

    private func ready(_ interest: Event.Interest) {
        // The turn on which libevent frees what a run has let go belongs to no run.
        guard loop.isRunning else { return }
        loop.beginCallback()
        var readiness: Readiness = []
        if interest.contains(.read) { readiness.insert(.readable) }
        if interest.contains(.write) { readiness.insert(.writable) }
        loop.guarded("a watched descriptor's call") { try call(readiness) }
        loop.endCallback()
    }
}
