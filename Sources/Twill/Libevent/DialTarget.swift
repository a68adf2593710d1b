#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Where a ``SocketDialer`` connects to, whatever kind of socket it is.
struct DialTarget {
    /// How the place is found.
    enum Place {
        /// A name to look up, and a port.
        case name(String, UInt16)
        case address(Address)
        /// Nothing that could be tried.
        case invalid(SystemError)
    }

    let place: Place
    let description: String
    let timeout: Duration
    let bindAddress: Address?
    let options: TransportOptions

    init(_ target: TCPTarget) {
        if let port = UInt16(exactly: target.port), port > 0 {
            place = Address(host: target.host, port: port).map(Place.address) ?? .name(target.host, port)
        } else {
            place = .invalid(SystemError(call: "connect", errno: EINVAL))
        }
        description = target.description
        timeout = target.timeout
        bindAddress = target.bindAddress
        options = target.options
    }

    init(_ target: UNIXTarget) {
        place = .address(.unix(target.path))
        description = target.path
        timeout = target.timeout
        bindAddress = nil
        options = target.options
    }
}
