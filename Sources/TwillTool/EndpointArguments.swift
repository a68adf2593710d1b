import ArgumentParser
import Twill

// Endpoints as they are typed: text that was checked, nothing more. No name is looked up, and nothing is opened.

/// What to listen on: the description of any endpoint for servers, or `udp:PORT`.
enum ServedEndpoint {
    case stream(any StreamServerEndpoint)
    case datagrams(UDPBinding)

    init(parsing text: String) throws {
        self = try checked {
            let parts = try EndpointDescription(text)
            return parts.prefix == "udp" ? .datagrams(try UDPBinding(parts)) : .stream(try serverFromString(text))
        }
    }
}

/// Where to listen for connections.
func streamServer(_ text: String) throws -> any StreamServerEndpoint {
    try checked { try serverFromString(text) }
}

/// Where to connect to.
func streamClient(_ text: String) throws -> any StreamClientEndpoint {
    try checked { try clientFromString(text) }
}

/// Says what is wrong with a description as a mistake in the command line.
private func checked<Value>(_ parse: () throws -> Value) throws -> Value {
    do {
        return try parse()
    } catch let error as EndpointError {
        throw ValidationError(error.token.isEmpty ? "it \(error.reason)" : "\"\(error.token)\" \(error.reason)")
    }
}

extension UDPBinding {
    /// `udp:PORT` or `udp:HOST:PORT`, for datagrams of any length.
    fileprivate init(_ parts: EndpointDescription) throws {
        try parts.expect(argumentsMax: 2, options: [])
        guard let port = parts.arguments.last else { throw parts.missing("has no port: write udp:PORT, as in udp:8007") }
        let host = parts.arguments.count == 2 ? parts.arguments[0] : nil
        if let host, Address(host: host.text, port: 0) == nil {
            throw parts.error(
                host, "is no address of this machine: give one in numbers, as in 127.0.0.1 or [::1], or none for all of them")
        }
        self.init(port: try parts.number(port, in: 0...65535, called: "port"), interface: host?.text ?? "", maxPacketSize: 65507)
    }
}

extension StreamServerEndpoint {
    /// What clients of it have to write in front of an address.
    var clientScheme: String { "\(self)".hasPrefix("tls:") ? "tls" : "tcp" }
}

extension Address {
    /// The description of the endpoint that reaches this address, as a client would write it.
    func endpoint(_ scheme: String = "tcp") -> String {
        switch self {
        case .ipv4, .ipv6, .pipe, .unknown: "\(scheme):\(self)"
        case .unix(let path): "unix:\(EndpointDescription.quote(path))"
        }
    }
}
