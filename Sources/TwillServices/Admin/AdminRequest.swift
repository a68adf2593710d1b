/// The first line of an HTTP request, as far as the admin endpoint needs it. Knows nothing of connections.
struct AdminRequest: Equatable {
    /// What is asked for: the path without a query.
    let path: Substring
    /// Whether the answer's content is left out.
    let wantsHeadOnly: Bool

    /// Why a request is not answered as it would like to be.
    enum Refusal: Error {
        case malformed, methodNotAllowed

        var status: String {
            switch self {
            case .malformed: "400 Bad Request"
            case .methodNotAllowed: "405 Method Not Allowed"
            }
        }
    }

    /// Reads `GET /live HTTP/1.1`. A line that names no version, as HTTP/0.9 has it, is malformed.
    init(_ line: String) throws(Refusal) {
        let words = line.split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 3, words[1].hasPrefix("/"), words[2].hasPrefix("HTTP/1.") else { throw .malformed }
        guard words[0] == "GET" || words[0] == "HEAD" else { throw .methodNotAllowed }
        path = words[1].prefix { $0 != "?" }
        wantsHeadOnly = words[0] == "HEAD"
    }
}
