/// A piece of Swift code on a page.
struct Block {
    struct Line {
        let number: Int
        let text: String
    }

    /// Code that stands in a comment before the block, for the compiler alone. What it leaves open is closed behind the block.
    var hidden: [Line] = []
    /// The number of the fence's line.
    var line = 0
    var code: [Line] = []

    var lines: [Line] { hidden + code }

    /// Whether it is part of a Package.swift, which another module than the tests' compiles.
    var isManifest: Bool {
        code.contains { $0.text == "import PackageDescription" } || ["target", "testTarget"].contains { start in
            code.first?.text.hasPrefix(".\(start)(") ?? false
        }
    }
}

/// A page, or the comments of a source file: what of it is Swift code.
struct Page {
    /// Something on a page that can't be meant.
    struct Mistake: Error, CustomStringConvertible {
        let description: String
    }

    /// The path, from the package's folder.
    let name: String
    private(set) var blocks: [Block] = []

    init(name: String, text: String) throws {
        self.name = name
        let isSource = name.hasSuffix(".swift")
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).enumerated()
            .map { Block.Line(number: $0.offset + 1, text: isSource ? Self.documentation(in: $0.element) : String($0.element)) }[...]
        var next = Block()
        while let line = lines.popFirst() {
            switch line.text {
            case "```swift":
                next.line = line.number
                next.code = try Self.take(from: &lines, upTo: "```", begunBy: line, of: name)
                blocks.append(next)
                next = Block()
            case let text where text.hasPrefix("```"): _ = try Self.take(from: &lines, upTo: "```", begunBy: line, of: name)
            case "<!-- swift:": next.hidden += try Self.take(from: &lines, upTo: "-->", begunBy: line, of: name)
            case let text where text.contains("```swift"):
                throw Mistake(description: "\(name):\(line.number): error: code that is indented would not be compiled: begin it with the line")
            case "": continue
            default:
                guard next.hidden.isEmpty else {
                    throw Mistake(description: "\(name):\(line.number): error: the hidden code before this line has no block: put it right before one")
                }
            }
        }
    }

    /// What a line of a source file says as documentation.
    private static func documentation(in line: some StringProtocol) -> String {
        let line = line.drop { $0 == " " }
        guard line.hasPrefix("///") else { return "" }
        return String(line.dropFirst(line.hasPrefix("/// ") ? 4 : 3))
    }

    private static func take(
        from lines: inout ArraySlice<Block.Line>, upTo end: String, begunBy first: Block.Line, of name: String
    ) throws -> [Block.Line] {
        guard let index = lines.firstIndex(where: { $0.text == end }) else {
            throw Mistake(description: "\(name):\(first.number): error: nothing ends what begins here: put \(end) on a line of its own")
        }
        defer { lines = lines[lines.index(after: index)...] }
        return Array(lines[..<index])
    }
}
