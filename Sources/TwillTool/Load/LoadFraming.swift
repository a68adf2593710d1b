import ArgumentParser

/// How a load's messages are told apart on the wire. The reply to each is the same bytes again, in all of them.
enum LoadFraming: String, CaseIterable, Codable {
    case raw
    case line
    case netstring
    case int32

    /// Reads a name.
    init(parsing text: String) throws {
        guard let framing = LoadFraming(rawValue: text) else {
            let names = LoadFraming.allCases.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("there is no such framing; choose one of \(names)")
        }
        self = framing
    }

    /// The shortest message that this framing has: one byte, or an empty line, netstring or Int32 string.
    var messageBytesMin: Int {
        switch self {
        case .raw: 1
        case .line: 2
        case .netstring: 3
        case .int32: 4
        }
    }
}
