/// What a proxy says of the connection that it passes on: a PROXY header, of version 1 (a line of text) or 2 (binary).
///
/// ```swift
/// final class Shop: LineReceiver {
///     override func connectionMade() {
///         if let header = transport.proxied?.header { print("by way of a proxy: \(header)") }
///     }
/// }
/// ```
///
/// A value; ``ProxyHeaderParser`` makes it of bytes, and ``ProxiedTransport/header`` keeps it for the length of the connection. It is what the proxy
/// says: whether that is believed is for ``ProxyProtocolFactory`` to decide.
///
/// The rules are those of haproxy's `doc/proxy-protocol.txt`. Twisted: `twisted.protocols.haproxy._info.ProxyInfo`.
public struct ProxyHeader: Hashable, Sendable {
    /// How the header was written.
    public enum Version: UInt8, Sendable {
        /// A line of text.
        case v1 = 1
        /// Binary.
        case v2 = 2
    }

    /// On whose behalf the proxy has connected.
    public enum Command: UInt8, Sendable {
        /// Its own: a health check, say. The header announces nothing; a line of version 1 never says it.
        case local = 0
        /// A client's.
        case proxy = 1
    }

    /// What the client's connection is.
    public enum Transport: UInt8, Sendable {
        /// The proxy does not know, or does not say.
        case unspecified = 0
        /// A stream: TCP, or a UNIX socket of that kind.
        case stream = 1
        /// Datagrams: UDP, or a UNIX socket of that kind. Such a header still comes on a stream.
        case datagram = 2
    }

    /// How the header was written.
    public let version: Version
    /// On whose behalf the proxy has connected.
    public let command: Command
    /// What the client's connection is.
    public let transport: Transport
    /// The client; nil where the proxy does not say, for LOCAL, UNKNOWN and UNSPEC, and then ``destination`` is nil too.
    public let source: Address?
    /// Where the client has connected to; nil where the proxy does not say.
    public let destination: Address?
    /// The TLVs of version 2, one behind the other as they came: one piece of memory for all of them.
    let tlvBytes: [UInt8]

    init(
        version: Version, command: Command = .proxy, transport: Transport = .unspecified, source: Address? = nil,
        destination: Address? = nil, tlvBytes: [UInt8] = []
    ) {
        self.version = version
        self.command = command
        self.transport = transport
        self.source = source
        self.destination = destination
        self.tlvBytes = tlvBytes
    }
}

extension ProxyHeader: CustomStringConvertible {
    /// One line for a log, of printable text alone: `PROXY v2 stream 192.0.2.7:56324 -> 10.0.0.1:443 id "c1"`.
    public var description: String {
        var words = [command == .local ? "LOCAL" : "PROXY", "\(version)"]
        if let source, let destination {
            words += ["\(transport)", "\(source)", "->", "\(destination)"]
        } else if command == .proxy {
            words.append("unspecified")
        }
        if let uniqueIDText { words.append("id \"\(uniqueIDText)\"") }
        return words.joined(separator: " ")
    }
}
