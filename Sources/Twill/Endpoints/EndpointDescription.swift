/// The description of an endpoint taken apart: a prefix, arguments, and options with a name. What they mean is the prefix's business.
///
/// ```
/// description = prefix *( ":" ( value / key "=" value ) )
/// ```
///
/// `\` takes the next character as it is; behind the `=` only `:` has a meaning; a value in brackets, `[::1]`, may hold colons. An option may be
/// given once.
///
/// Twisted: what `serverFromString` and `clientFromString` read, without brackets there.
public struct EndpointDescription: Hashable, Sendable {
    /// A part of a description and where it stands.
    public struct Part: Hashable, Sendable {
        /// The text, with what was quoted as it is meant.
        public let text: String
        /// Where it begins in the description, in Unicode scalars from 0.
        public let offset: Int
    }

    /// The description as it was written.
    public let source: String
    /// What stands before the first colon, in small letters: `tcp`.
    public let prefix: String
    /// Where it stands in the source: behind the prefixes of the layers around it.
    let prefixOffset: Int
    /// The values without a name, in order.
    public private(set) var arguments: [Part] = []
    /// The values with a name.
    public private(set) var options: [String: Part] = [:]
    /// Where the names of the options begin.
    private var nameOffsets: [String: Int] = [:]
    /// What the layers around it could have been asked for, for an error about an option that is nobody's.
    private var optionsOfLayers = ""

    /// Takes a description apart.
    ///
    /// - Throws: ``EndpointError`` for an option that is given twice, a bracket that is not closed, and a `\` at the end.
    public init(_ source: String) throws(EndpointError) {
        self.source = source
        var scanner = Scanner(source)
        prefix = try scanner.part(endsAtEquals: false).text.lowercased()
        prefixOffset = 0
        while scanner.take(":") {
            let start = scanner.offset
            let value = try scanner.part(endsAtEquals: true)
            guard scanner.take("=") else {
                arguments.append(value)
                continue
            }
            guard options[value.text] == nil else {
                throw EndpointError(source, value.text, at: start, "is there twice: give it once")
            }
            options[value.text] = try scanner.part(endsAtEquals: false)
            nameOffsets[value.text] = start
        }
    }

    /// What has a meaning in a description.
    private static let special: [Unicode.Scalar] = [":", "\\", "=", "["]

    /// What a layer's description says of the endpoint inside of it: `tcp:9001` in `haproxy:tcp:9001:trust=10.0.0.0/8`. Errors of it point into the
    /// whole.
    ///
    /// - Parameter options: the layer's own options.
    /// - Throws: ``EndpointError`` where nothing is inside.
    public func inner(without options: [String]) throws(EndpointError) -> EndpointDescription {
        guard let first = arguments.first, !first.text.isEmpty else {
            throw missing("has no endpoint inside: write \(prefix):tcp:PORT, say, with options behind it")
        }
        return EndpointDescription(
            inside: self, prefix: first.text.lowercased(), prefixOffset: first.offset, arguments: Array(arguments.dropFirst()),
            without: options)
    }

    /// The same values and options under another prefix: `tcp:443` for `tls:443:cert=server.pem`. Errors of it point into the whole.
    ///
    /// - Parameter options: those that only this prefix has.
    package func reading(as prefix: String, without options: [String]) -> EndpointDescription {
        EndpointDescription(inside: self, prefix: prefix, prefixOffset: prefixOffset, arguments: arguments, without: options)
    }

    private init(inside layer: EndpointDescription, prefix: String, prefixOffset: Int, arguments: [Part], without layerOptions: [String]) {
        source = layer.source
        self.prefix = prefix
        self.prefixOffset = prefixOffset
        self.arguments = arguments
        options = layer.options.filter { !layerOptions.contains($0.key) }
        nameOffsets = layer.nameOffsets
        optionsOfLayers = "\(layer.optionsOfLayers); \(layer.prefix) has \(layerOptions.joined(separator: ", "))"
    }

    /// Writes a value so that it is read as it is: the characters that have a meaning get a `\` in front of them.
    ///
    /// Twisted: `quoteStringArgument`, which leaves `=` alone and so turns some values into options.
    public static func quote(_ value: String) -> String {
        var quoted = String.UnicodeScalarView()
        for scalar in value.unicodeScalars {
            if Self.special.contains(scalar) { quoted.append("\\") }
            quoted.append(scalar)
        }
        return String(quoted)
    }

    /// An error about a part of this description.
    public func error(_ part: Part, _ reason: String) -> EndpointError {
        EndpointError(source, part.text, at: part.offset, reason)
    }

    /// An error about something that is not there.
    public func missing(_ reason: String) -> EndpointError {
        EndpointError(source, "", at: source.unicodeScalars.count, reason)
    }

    /// Refuses what the prefix does not know.
    ///
    /// - Throws: ``EndpointError`` for more arguments than these, and for an option of another name.
    public func expect(argumentsMax: Int, options known: [String]) throws(EndpointError) {
        if arguments.count > argumentsMax {
            throw error(arguments[argumentsMax], "is too much: \(prefix) takes \(argumentsMax) values without a name")
        }
        for (name, value) in options.sorted(by: { $0.value.offset < $1.value.offset }) where !known.contains(name) {
            let options = known.isEmpty ? "it has none" : "it has \(known.joined(separator: ", "))"
            throw EndpointError(
                source, name, at: nameOffsets[name] ?? value.offset, "is no option of \(prefix): \(options)\(optionsOfLayers)")
        }
    }

    /// Reads the Unicode scalars from left to right: a colon is one whatever follows it, while the characters of a text run together, as a colon
    /// and an accent do.
    private struct Scanner {
        private let source: String
        private let scalars: [Unicode.Scalar]
        private(set) var offset = 0

        init(_ source: String) {
            self.source = source
            scalars = Array(source.unicodeScalars)
        }

        /// Takes a scalar if it is the next one.
        mutating func take(_ scalar: Unicode.Scalar) -> Bool {
            guard offset < scalars.count, scalars[offset] == scalar else { return false }
            offset += 1
            return true
        }

        /// A value up to the next scalar that ends it.
        mutating func part(endsAtEquals: Bool) throws(EndpointError) -> Part {
            let start = offset
            if take("[") { return try bracketed(from: start) }
            var text = String.UnicodeScalarView()
            while offset < scalars.count {
                let scalar = scalars[offset]
                if scalar == ":" || (endsAtEquals && scalar == "=") { break }
                offset += 1
                guard scalar == "\\" else {
                    text.append(scalar)
                    continue
                }
                guard offset < scalars.count else {
                    throw EndpointError(source, "\\", at: offset - 1, "has nothing behind it: write \\\\ for a backslash that is meant")
                }
                text.append(scalars[offset])
                offset += 1
            }
            return Part(text: String(text), offset: start)
        }

        /// What stands behind a bracket, up to its end.
        private mutating func bracketed(from start: Int) throws(EndpointError) -> Part {
            guard let end = scalars[offset...].firstIndex(of: "]") else {
                throw EndpointError(
                    source, text(scalars[start...]), at: start, "has no closing bracket: write \\[ for a bracket that is meant")
            }
            let part = Part(text: text(scalars[offset..<end]), offset: start)
            offset = end + 1
            guard offset == scalars.count || scalars[offset] == ":" else {
                throw EndpointError(
                    source, text(scalars[start...]), at: start, "goes on behind its bracket: a colon or the end belongs there")
            }
            return part
        }

        private func text(_ scalars: ArraySlice<Unicode.Scalar>) -> String {
            String(String.UnicodeScalarView(scalars))
        }
    }
}

// Values of the kinds that most endpoints have.
extension EndpointDescription {
    /// A number without sign in a range.
    public func number(_ part: Part, in range: ClosedRange<Int>, called name: String) throws(EndpointError) -> Int {
        guard !part.text.isEmpty, part.text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let number = Int(part.text), range.contains(number)
        else {
            throw error(part, "is no \(name): give a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    /// An option that is a number; nil where it is not given.
    public func number(_ name: String, in range: ClosedRange<Int>) throws(EndpointError) -> Int? {
        guard let part = options[name] else { return nil }
        return try number(part, in: range, called: name)
    }

    /// An option that is 0 or 1, no or yes, false or true; nil where it is not given.
    public func flag(_ name: String) throws(EndpointError) -> Bool? {
        guard let part = options[name] else { return nil }
        switch part.text.lowercased() {
        case "1", "yes", "true": return true
        case "0", "no", "false": return false
        default: throw error(part, "is neither yes nor no: give \(name)=1 or \(name)=0")
        }
    }

    /// An option that is a number of seconds, with decimals if need be; nil where it is not given.
    public func seconds(_ name: String) throws(EndpointError) -> Duration? {
        guard let part = options[name] else { return nil }
        guard let duration = Duration(decimalSeconds: part.text), duration > .zero, duration <= .seconds(1_000_000_000) else {
            throw error(part, "is no time: give a number of seconds, as in \(name)=30")
        }
        return duration
    }

    /// An option that is the mode of a file, in octal digits; nil where it is not given.
    public func mode(_ name: String) throws(EndpointError) -> UInt16? {
        guard let part = options[name] else { return nil }
        guard let mode = UInt16(part.text, radix: 8), mode <= 0o777, !part.text.hasPrefix("+") else {
            throw error(part, "is no file mode: give octal digits from 0 to 777, as in \(name)=660")
        }
        return mode
    }

    /// A host as a description writes it: an IPv6 address in brackets.
    package static func host(_ host: String) -> String {
        host.unicodeScalars.contains(":") && !host.unicodeScalars.contains("]") ? "[\(host)]" : quote(host)
    }
}

extension Duration {
    private static let decimalsMax = 18

    /// Reads seconds as a description writes them, `30` or `0.5`, exactly; nil for anything else.
    fileprivate init?(decimalSeconds text: String) {
        let parts = text.utf8.split(separator: UInt8(ascii: "."), maxSplits: 1, omittingEmptySubsequences: false).map { Substring($0) }
        let areDigits = parts.allSatisfy { part in
            !part.isEmpty && part.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        }
        let decimals = parts.count > 1 ? parts[1] : ""
        guard areDigits, decimals.utf8.count <= Self.decimalsMax, let seconds = Int64(parts[0]),
            let attoseconds = Int64(decimals + String(repeating: "0", count: Self.decimalsMax - decimals.utf8.count))
        else { return nil }
        self.init(secondsComponent: seconds, attosecondsComponent: attoseconds)
    }

    /// The seconds as a description writes them, exactly.
    package var decimalSeconds: String {
        let (seconds, attoseconds) = components
        guard attoseconds != 0 else { return "\(seconds)" }
        var decimals = "\(attoseconds.magnitude)"
        decimals = String(repeating: "0", count: Self.decimalsMax - decimals.utf8.count) + decimals
        while decimals.hasSuffix("0") { decimals.removeLast() }
        return "\(self < .zero ? "-" : "")\(seconds.magnitude).\(decimals)"
    }
}
