#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// What a connection over pipes does in other ways than one over a socket. Out of line, so that sockets pay for one comparison each time.
extension SocketTransport {
    @inline(never)
    func writeToPipe(_ bytes: UnsafeRawBufferPointer) -> Int {
        unsafe pipes?.write(bytes) ?? 0
    }

    /// Called when nobody reads any more what goes into the pipe.
    func outputHungUp() {
        guard stream.phase != .lost else { return }
        loop.beginCallback()
        apply(.sendingBroke(.lost(SystemError(call: "write", errno: EPIPE))))
        loop.endCallback(of: self)
    }
}
