import CLibevent

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// UNIX datagram sockets.
extension UDPSocket {
    /// A socket that is bound and connected as far as the binding says, and its file, if it has one.
    static func open(_ binding: UNIXDatagramBinding) throws -> (UDPSocket, UNIXSocketFile?) {
        let name = binding.path ?? binding.peer ?? "an unnamed UNIX socket"
        let made = UDPSocket(descriptor: twill_datagram_socket(AF_UNIX), family: .unix)
        guard made.descriptor >= 0 else { throw ListenError.failed.on(name, because: SystemError(call: "socket")) }
        var file: UNIXSocketFile?
        do {
            try made.applySizes(of: binding.options)
            if let path = binding.path { file = try made.bind(to: path, binding) }
            if let peer = binding.peer { _ = try made.connect(to: .unix(peer)) }
        } catch {
            file?.remove()
            made.close()
            guard let error = error as? SystemError else { throw error }
            throw binding.peer.map { DatagramError.failed(.unix($0), because: error) } ?? ListenError.failed.on(name, because: error)
        }
        return (made, file)
    }

    private func bind(to path: String, _ binding: UNIXDatagramBinding) throws(ListenError) -> UNIXSocketFile? {
        guard path.hasPrefix("@") else {
            return try UNIXSocketFile.bind(socket, to: UNIXBinding(path: path, mode: binding.mode, wantsLock: binding.wantsLock))
        }
        do throws(SystemError) {
            try socket.bind(to: .unix(path))
            return nil
        } catch {
            let kind: ListenError =
                switch error.errno {
                case EADDRINUSE: .addressInUse
                case ENAMETOOLONG, EINVAL, EAFNOSUPPORT: .badPath
                default: .failed
                }
            throw kind.on(path, because: error)
        }
    }
}
