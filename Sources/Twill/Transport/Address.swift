/// One end of a connection: where it is, as the network sees it.
///
/// A value of a few words that is compared, hashed and printed; it holds no descriptor and resolves no names. Its description is
/// what a person would type: `127.0.0.1:8007`, `[::1]:8007`, `/run/chat.sock`.
///
/// Twisted: `IPv4Address`, `IPv6Address`, `UNIXAddress`, `PipeAddress`.
public enum Address: Hashable, Sendable {
    /// A TCP or UDP port on an IPv4 host.
    case ipv4(IPv4Address)
    /// A TCP or UDP port on an IPv6 host.
    case ipv6(IPv6Address)
    /// A UNIX socket's path; empty for an unnamed peer. One that begins with `@` is no file but a name that Linux keeps apart.
    case unix(String)
    /// A pipe, a terminal or a file, which has no address: what it is, for people who read it: `standard input and output`.
    case pipe(String)
    /// An end that has no address: a socket that was already closed when it was asked.
    case unknown

    /// The most bytes that a UNIX socket's path may have.
    package static var pathBytesMax: Int {
        #if canImport(Darwin)
        103
        #else
        107
        #endif
    }

    /// Makes an address from a literal host, in either IP family.
    ///
    /// Returns nil for anything that is not a literal address; names are resolved by the reactor.
    public init?(host: String, port: UInt16) {
        if let ipv4 = IPv4Address(host: host, port: port) {
            self = .ipv4(ipv4)
        } else if let ipv6 = IPv6Address(host: host, port: port) {
            self = .ipv6(ipv6)
        } else {
            return nil
        }
    }

    /// The host as text, without the port: `127.0.0.1`, `::1`; for a UNIX socket its path, for a pipe nothing.
    public var host: String {
        switch self {
        case .ipv4(let address): address.host
        case .ipv6(let address): address.host
        case .unix(let path): path
        case .pipe, .unknown: ""
        }
    }

    /// The port, or nil where there is no such thing.
    public var port: UInt16? {
        switch self {
        case .ipv4(let address): address.port
        case .ipv6(let address): address.port
        case .unix, .pipe, .unknown: nil
        }
    }
}

extension Address {
    /// The same host with another port; what has no port stays as it is.
    package func with(port: UInt16) -> Address {
        switch self {
        case .ipv4(var address):
            address.port = port
            return .ipv4(address)
        case .ipv6(var address):
            address.port = port
            return .ipv6(address)
        case .unix, .pipe, .unknown: return self
        }
    }
}

extension Address: CustomStringConvertible {
    /// A path without the control characters that the peer who chose it may have put there, for descriptions end up in logs.
    private static func printable(_ path: String) -> String {
        path.unicodeScalars.map { $0.properties.generalCategory == .control ? $0.escaped(asASCII: true) : String($0) }.joined()
    }

    public var description: String {
        switch self {
        case .ipv4(let address): address.description
        case .ipv6(let address): address.description
        case .unix(let path): path.isEmpty ? "an unnamed UNIX socket" : Self.printable(path)
        case .pipe(let name): name.isEmpty ? "a pipe" : Self.printable(name)
        case .unknown: "an unknown address"
        }
    }
}
