import ArgumentParser
import Twill

/// A TCP or UDP port as the command line writes it: `tcp:8007`, `udp:127.0.0.1:8007`, `tcp:[::1]:8007`.
///
/// It is text that was checked, nothing more: no name is looked up, and no port is opened.
struct EndpointArgument: Equatable {
    /// What stands before the first colon.
    enum Scheme: String {
        case tcp
        case udp
    }

    var scheme = Scheme.tcp
    /// A literal address or, to connect to, a name; empty for all addresses of this machine.
    let host: String
    let port: Int

    /// Reads where to listen, by TCP: the host may be missing, or is a literal address; port 0 stands for a free one.
    static func listening(_ text: String) throws -> EndpointArgument {
        try listening(text, .tcp)
    }

    /// Reads where to listen, by TCP or UDP.
    static func serving(_ text: String) throws -> EndpointArgument {
        try listening(text, text.hasPrefix("udp:") ? .udp : .tcp)
    }

    private static func listening(_ text: String, _ scheme: Scheme) throws -> EndpointArgument {
        let (host, port) = try parts(of: text, scheme)
        guard let port = number(port, in: 0...65535) else {
            throw ValidationError("the port must be a number from 0 to 65535 (0 takes a free one), as in tcp:8007")
        }
        guard host.isEmpty || Address(host: host, port: UInt16(port)) != nil else {
            throw ValidationError("the host must be an address of this machine, as in tcp:127.0.0.1:8007; leave it out for all of them")
        }
        return EndpointArgument(scheme: scheme, host: host, port: port)
    }

    /// Reads where to connect to, by TCP: the host is a literal address or a name.
    static func connecting(_ text: String) throws -> EndpointArgument {
        let (host, port) = try parts(of: text, .tcp)
        guard let port = number(port, in: 1...65535) else {
            throw ValidationError("the port must be a number from 1 to 65535, as in tcp:127.0.0.1:8007")
        }
        guard !host.isEmpty else {
            throw ValidationError("the host is missing; write tcp:127.0.0.1:\(port) for a server on this machine")
        }
        guard Address(host: host, port: UInt16(port)) != nil || isName(host) else {
            throw ValidationError("the host must be a name or an address, as in tcp:127.0.0.1:8007 or tcp:[::1]:8007")
        }
        return EndpointArgument(host: host, port: port)
    }

    /// What stands before the last colon and behind it, without the scheme and without brackets.
    private static func parts(of text: String, _ scheme: Scheme) throws -> (host: String, port: Substring) {
        guard text.hasPrefix("\(scheme.rawValue):") else {
            throw ValidationError("an address begins with 'tcp:', as in tcp:127.0.0.1:8007")
        }
        let rest = text.dropFirst(4)
        guard let colon = rest.lastIndex(of: ":") else { return ("", rest) }
        let host = rest[..<colon]
        let port = rest[rest.index(after: colon)...]
        if host.hasPrefix("["), host.hasSuffix("]") {
            let inside = String(host.dropFirst().dropLast())
            guard IPv6Address(host: inside, port: 0) != nil else {
                throw ValidationError("only an IPv6 address stands in brackets, as in tcp:[::1]:8007")
            }
            return (inside, port)
        }
        guard !host.isEmpty else {
            throw ValidationError("there is nothing between the two colons; write tcp:PORT or tcp:HOST:PORT")
        }
        guard !host.contains(":") else {
            throw ValidationError("there are too many colons; write tcp:HOST:PORT, an IPv6 host in brackets, as in tcp:[::1]:8007")
        }
        return (String(host), port)
    }

    /// A decimal number in a range, without sign.
    private static func number(_ text: Substring, in range: ClosedRange<Int>) -> Int? {
        guard !text.isEmpty, text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }), let number = Int(text),
            range.contains(number)
        else { return nil }
        return number
    }

    /// Whether a text looks like a host's name; whether there is such a host, only a look-up can tell.
    ///
    /// Digits and dots alone are an address with a mistake in it.
    private static func isName(_ text: String) -> Bool {
        text.utf8.count <= 253
            && text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "-_.".contains($0)) }
            && text.contains(where: \.isLetter)
    }
}

extension EndpointArgument: CustomStringConvertible {
    /// The port as it is written on the command line.
    var description: String {
        if host.isEmpty { return "\(scheme.rawValue):\(port)" }
        return host.contains(":") ? "\(scheme.rawValue):[\(host)]:\(port)" : "\(scheme.rawValue):\(host):\(port)"
    }
}
