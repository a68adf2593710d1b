import Twill

/// Takes a text for the description of an endpoint, and for a value in one: what is read is written so that it is read as the same again, and
/// what is refused says where.
///
/// A fuzzer's bytes are the text in UTF-8. Nothing is listened on and nobody connected to. Texts are compared by their bytes, since that is what
/// a path is.
struct EndpointCheck: CustomStringConvertible {
    let text: String
    private let scalars: [Unicode.Scalar]

    init(_ text: String) {
        self.text = text
        scalars = Array(text.unicodeScalars)
    }

    init(fuzzed bytes: [UInt8]) {
        self.init(String(decoding: bytes, as: UTF8.self))
    }

    var description: String { text.debugDescription }

    /// Throws a `Disagreement` where one is found.
    func run() throws {
        try checkQuoting()
        let parts: EndpointDescription
        do throws(EndpointError) {
            parts = try EndpointDescription(text)
        } catch {
            return try check(error)
        }
        try check(parts)
        try checkPlace(of: serverFromString)
        try checkPlace(of: clientFromString)
    }

    /// Any text at all can be a value.
    private func checkQuoting() throws {
        let quoted = EndpointDescription.quote(text)
        let parts = try EndpointDescription("p:\(quoted):n=\(quoted):o=1")
        try require(parts.arguments.map(\.text).map(bytes) == [bytes(text)], "a value was read as \(parts.arguments)")
        try require(parts.options["n"].map { bytes($0.text) } == bytes(text), "an option was read as \(parts.options)")
        try require(parts.options.count == 2 && parts.options["o"]?.text == "1", "the options were read as \(parts.options)")
    }

    /// What was read stands where it is said to stand, and is read again when it is written by its parts.
    private func check(_ parts: EndpointDescription) throws {
        let ordered = (parts.arguments.map { ("", $0) } + parts.options.map { ("\(EndpointDescription.quote($0))=", $1) })
            .sorted { $0.1.offset < $1.1.offset }
        var written = EndpointDescription.quote(parts.prefix)
        for (name, part) in ordered {
            try checkPlace(of: part.text, at: part.offset)
            written += ":\(name)\(EndpointDescription.quote(part.text))"
        }
        let again = try EndpointDescription(written)
        let isSame =
            bytes(again.prefix) == bytes(parts.prefix)
            && again.arguments.map(\.text).map(bytes) == parts.arguments.map(\.text).map(bytes)
            && again.options.mapValues { bytes($0.text) } == parts.options.mapValues { bytes($0.text) }
        try require(isSame, "\(parts) was written as \(written.debugDescription) and read as \(again)")
    }

    /// A token begins the text, or stands behind a colon or an equals sign, unless it is what is missing at the end.
    private func checkPlace(of token: String, at offset: Int) throws {
        try require((0...scalars.count).contains(offset), "the offset \(offset) is not in the text")
        let rest = scalars[offset...]
        // A backslash that ends the text stands anywhere.
        let isLastBackslash = token == "\\" && rest.elementsEqual(["\\"])
        let isAtStart = offset == 0 || [":", "="].contains(scalars[offset - 1])
        try require(isAtStart || isLastBackslash || offset == scalars.count, "nothing begins at \(offset)")
        // What is quoted reads otherwise than it is written.
        guard !text.unicodeScalars.contains("\\"), rest.first != "[", offset > 0 else { return }
        // A prefix is told in small letters.
        let found = String(String.UnicodeScalarView(rest)).lowercased()
        try require(found.utf8.starts(with: token.lowercased().utf8), "\(token.debugDescription) is not at \(offset)")
    }

    private func check(_ error: EndpointError) throws {
        try require(bytes(error.text) == bytes(text), "the error is about \(error.text.debugDescription)")
        try require(!error.reason.isEmpty, "the error has no reason")
        try checkPlace(of: error.token, at: error.offset)
    }

    /// A place is written so that it is read as the same.
    private func checkPlace<Place>(of make: (String) throws(EndpointError) -> Place) throws {
        let place: Place
        do throws(EndpointError) {
            place = try make(text)
        } catch {
            return try check(error)
        }
        let written = "\(place)"
        let again: Place
        do throws(EndpointError) {
            again = try make(written)
        } catch {
            throw Disagreement(description: "it is written as \(written.debugDescription), which is refused: \(error)")
        }
        try require(bytes("\(again)") == bytes(written), "\(written.debugDescription) is written as \("\(again)".debugDescription)")
        let (before, after) = (details(of: place), details(of: again))
        try require(bytes(before) == bytes(after), "\(before) was written as \(written.debugDescription) and read as \(after)")
    }

    private func details<Place>(of place: Place) -> String {
        switch place {
        case let tcp as TCPServerEndpoint: "\(tcp.binding)"
        case let unix as UNIXServerEndpoint: "\(unix.binding)"
        case let adopted as AdoptedServerEndpoint: "\(adopted.descriptor)"
        case let tcp as TCPClientEndpoint: "\(tcp.target)"
        case let unix as UNIXClientEndpoint: "\(unix.target)"
        default: "another kind of endpoint"
        }
    }

    private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }
}
