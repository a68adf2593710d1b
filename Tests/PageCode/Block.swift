/// A piece of Swift code on a page.
struct Block {
    struct Line {
        let number: Int
        let text: String
    }

    /// Code that stands in a comment before the block, for the compiler alone. What it leaves open is closed behind the block.
    var hidden: [Line] = []
    /// The line of the fence.
    var line = 0
    var code: [Line] = []

    var lines: [Line] { hidden + code }

    /// Whether it is part of a Package.swift, whose module tests don't have.
    var isManifest: Bool {
        let start = code.first?.text ?? ""
        return start.hasPrefix(".target(") || start.hasPrefix(".testTarget(") || code.contains { $0.text == "import PackageDescription" }
    }
}

/// A page, or the documentation comments of a source: what of it is Swift code.
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
            if line.text == "```swift" {
                next.line = line.number
                next.code = try take(from: &lines, upTo: "```", begunBy: line)
                blocks.append(next)
                next = Block()
            } else if line.text == "<!-- swift:" {
                next.hidden = try take(from: &lines, upTo: "-->", begunBy: line)
            } else if line.text.hasPrefix("```") {
                _ = try take(from: &lines, upTo: "```", begunBy: line)
            } else if line.text.contains("```swift") {
                throw mistake(line, "this code would not be compiled: begin the line with its fence")
            } else if !line.text.isEmpty, !next.hidden.isEmpty {
                throw mistake(line, "the hidden code before this line has no block: put it right before one")
            }
        }
    }

    /// What a line of a source says as documentation.
    private static func documentation(in line: some StringProtocol) -> String {
        let line = line.drop { $0 == " " }
        guard line.hasPrefix("///") else { return "" }
        return String(line.dropFirst(line.hasPrefix("/// ") ? 4 : 3))
    }

    private func take(from lines: inout ArraySlice<Block.Line>, upTo end: String, begunBy first: Block.Line) throws -> [Block.Line] {
        guard let index = lines.firstIndex(where: { $0.text == end }) else {
            throw mistake(first, "nothing ends what begins here: put \(end) on a line of its own")
        }
        defer { lines = lines[lines.index(after: index)...] }
        return Array(lines[..<index])
    }

    private func mistake(_ line: Block.Line, _ sentence: String) -> Mistake {
        Mistake(description: "\(name):\(line.number): error: \(sentence)")
    }
}
