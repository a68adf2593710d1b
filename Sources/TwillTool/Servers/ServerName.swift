import ArgumentParser
import Twill

/// The servers that `twill serve` knows, by the name that is typed.
enum ServerName: String, CaseIterable {
    case echo
    case lineEcho = "line-echo"
    case netstringEcho = "netstring-echo"
    case int32Echo = "int32-echo"
    case discard
    case chargen
    case daytime
    case qotd
    case udpEcho = "udp-echo"

    /// Reads a name.
    init(parsing text: String) throws {
        guard let name = ServerName(rawValue: text) else {
            let names = ServerName.allCases.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("there is no such server; choose one of \(names)")
        }
        self = name
    }

    /// What the server does, in a few words.
    var summary: String {
        switch self {
        case .echo: "sends back every byte (RFC 862)"
        case .lineEcho: "sends back every line of up to 16384 bytes and CR LF"
        case .netstringEcho: "sends back every netstring of up to 99999 bytes"
        case .int32Echo: "sends back every Int32 string of up to 99999 bytes"
        case .discard: "reads and drops everything (RFC 863)"
        case .chargen: "sends lines of text as fast as they are read (RFC 864)"
        case .daytime: "sends the date and time in UTC, and closes (RFC 867)"
        case .qotd: "sends a quote, and closes (RFC 865)"
        case .udpEcho: "sends back every UDP datagram of up to 65507 bytes (RFC 862)"
        }
    }

    /// One line of help for each server.
    static var table: String {
        let width = allCases.map(\.rawValue.count).max() ?? 0
        return allCases.map { name in
            let padding = String(repeating: " ", count: width - name.rawValue.count)
            return "  \(name.rawValue)\(padding)  \(name.summary)"
        }.joined(separator: "\n")
    }

    /// Who handles what arrives: a protocol for each connection, or one for each UDP port.
    enum Handler {
        case connections(() -> Protocol)
        case datagrams(() -> DatagramProtocol)
    }

    var handler: Handler {
        switch self {
        case .echo: .connections { Echo() }
        case .lineEcho: .connections { LineEcho() }
        case .netstringEcho: .connections { NetstringEcho() }
        case .int32Echo: .connections { Int32Echo() }
        case .discard: .connections { Discard() }
        case .chargen: .connections { Chargen() }
        case .daytime: .connections { Daytime() }
        case .qotd: .connections { QuoteOfTheDay() }
        case .udpEcho: .datagrams { UDPEcho() }
        }
    }

    /// The same server for code that waits; nil where there is none.
    var task: (@Sendable (Connection) async throws -> Void)? {
        switch self {
        case .echo: { connection in for try await chunk in connection.chunks { try await connection.write(chunk) } }
        case .lineEcho: { connection in for try await line in connection.byteLines() { try await connection.writeLine(line) } }
        case .netstringEcho:
            { connection in for try await string in connection.netstrings { try await connection.writeNetstring(string) } }
        case .discard: { connection in for try await _ in connection.chunks {} }
        case .int32Echo, .chargen, .daytime, .qotd, .udpEcho: nil
        }
    }

    /// Where it listens unless told otherwise. Datagrams come from whoever they say, so their echo stays on this machine until somebody opens it.
    var usualEndpoint: ServedEndpoint {
        switch handler {
        case .connections: .stream(TCPServerEndpoint(TCPBinding(port: 8007)))
        case .datagrams: .datagrams(UDPBinding(port: 8007, interface: "127.0.0.1", maxPacketSize: 65507))
        }
    }
}
