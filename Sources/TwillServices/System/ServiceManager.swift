import Twill

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// systemd, or whoever else has started the process and wants to hear how it fares (`sd_notify`).
///
/// The socket is connected when this is made: later its path may be out of sight. The variables are taken out of the environment, so that a child
/// process does not speak for this one.
final class ServiceManager: Sendable {
    private let descriptor: CInt
    /// How often it wants to hear that the process is well; nil where it does not.
    let watchdogInterval: Duration?

    /// Nil where nobody wants to hear anything.
    init?() {
        let path = System.environment("NOTIFY_SOCKET")
        let (interval, process) = (System.environment("WATCHDOG_USEC"), System.environment("WATCHDOG_PID"))
        for name in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"] { System.forgetEnvironment(name) }
        guard let path, let descriptor = Self.connect(path) else { return nil }
        self.descriptor = descriptor
        let isMeant = process.map { Int32($0) == System.processID } ?? true
        watchdogInterval = isMeant ? interval.flatMap { Int64($0) }.flatMap { $0 > 0 ? .microseconds($0) : nil } : nil
    }

    /// Says something, `READY=1` for example. Nobody waits for whoever does not listen.
    func tell(_ text: String) {
        var text = text
        text.withUTF8 { bytes in
            // The bytes are lent for the length of the call.
            _ = unsafe send(descriptor, bytes.baseAddress, bytes.count, CInt(MSG_DONTWAIT))
        }
    }

    private static func connect(_ path: String) -> CInt? {
        #if canImport(Darwin)
        let kind = SOCK_DGRAM
        #else
        let kind = CInt(SOCK_DGRAM.rawValue)
        #endif
        let descriptor = socket(AF_UNIX, kind, 0)
        guard descriptor >= 0 else { return nil }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var name = Array(path.utf8)
        // A name that begins with @ is no file; its first byte is 0.
        if name.first == UInt8(ascii: "@") { name[0] = 0 }
        guard !name.isEmpty, name.count < MemoryLayout.size(ofValue: address.sun_path) else {
            System.close(descriptor)
            return nil
        }
        // The name is shorter than its place in the structure, as was just asked.
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: name) }
        let offset = MemoryLayout<sockaddr_un>.offset(of: \.sun_path) ?? 2
        // A file's name ends with a 0, which the structure has there; one that is no file ends with its last byte.
        let length = socklen_t(offset + name.count + (name[0] == 0 ? 0 : 1))
        let failed = unsafe withUnsafePointer(to: &address) { pointer in
            // One structure read as another, which begins alike: what the call is made for.
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe systemConnect(descriptor, $0, length) } != 0
        }
        if failed {
            System.close(descriptor)
            return nil
        }
        return descriptor
    }
}

private func systemConnect(_ descriptor: CInt, _ address: UnsafePointer<sockaddr>, _ length: socklen_t) -> CInt {
    // The caller lends the address for the length of the call.
    unsafe connect(descriptor, address, length)
}
