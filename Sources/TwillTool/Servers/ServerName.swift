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

    /// A handler for one more connection.
    func makeProtocol() -> Protocol {
        switch self {
        case .echo: Echo()
        case .lineEcho: LineEcho()
        case .netstringEcho: NetstringEcho()
        case .int32Echo: Int32Echo()
        case .discard: Discard()
        case .chargen: Chargen()
        case .daytime: Daytime()
        case .qotd: QuoteOfTheDay()
        }
    }
}
