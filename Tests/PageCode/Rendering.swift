/// Makes one source file of the code on pages, for the compiler alone: nothing of it is ever run.
///
/// Each block is a function inside of that of the block before it on its page. So a block may use what was declared further up, and declare the
/// same name again; and whether it awaits something is its own affair. Errors name the page and the line.
struct Rendering {
    /// Modules that the file imports beside those that the code does.
    let imports: [String]
    let pages: [Page]
    /// Where the pages are, for editors to find them.
    let folder: String

    var text: String {
        var modules = Set(imports)
        var body: [String] = []
        for page in pages {
            let blocks = page.blocks.filter { !$0.isManifest }
            guard !blocks.isEmpty else { continue }
            modules.formUnion(Set(blocks.flatMap(\.lines).compactMap { Self.importedModule(in: $0.text) }).subtracting(page.ownModules))
            body.append("func \(page.name.replacing(#/\W/#, with: "_"))() {")
            for block in blocks { body += begin(block, on: page) }
            body.append(String(repeating: "}\n", count: blocks.count) + "}")
        }
        if body.isEmpty { return "" }
        // On macOS Foundation has a Protocol as well, and what is imported by name goes first.
        modules.insert("class Twill.Protocol")
        return (modules.sorted().map { "import \($0)" } + body).joined(separator: "\n") + "\n"
    }

    /// A block as a function that has no end yet.
    private func begin(_ block: Block, on page: Page) -> [String] {
        let awaits = block.lines.contains { !$0.text.hasPrefix(" ") && $0.text.contains(#/\bawait\b/#) }
        let open = block.hidden.reduce(0) { $0 + $1.text.count { $0 == "{" } - $1.text.count { $0 == "}" } }
        var body = ["func line\(block.line)() \(awaits ? "async " : "")throws {"]
        for lines in [block.hidden, block.code] where !lines.isEmpty {
            body.append("#sourceLocation(file: \"\(folder)/\(page.name)\", line: \(lines[0].number))")
            body += lines.map { Self.insideOfAFunction($0.text) }
            body.append("#sourceLocation()")
        }
        body += Array(repeating: "}", count: max(open, 0))
        body.append("func uses() { \(Self.uses(of: block).joined(separator: "; ")) }")
        return body
    }

    /// A line without what may stand at the top of a file alone.
    private static func insideOfAFunction(_ line: String) -> String {
        if importedModule(in: line) != nil || line.hasPrefix("@Test(") { return "" }
        return line.replacing(#/^@(Test|main) /#, with: "").replacing(#/\bpublic /#, with: "")
    }

    private static func importedModule(in line: String) -> String? {
        line.firstMatch(of: #/^(public )?import (\w+)$/#).map { String($0.2) }
    }

    /// Uses of what is shown only to be seen, of which the compiler would warn, and of the arguments of tests.
    private static func uses(of block: Block) -> [String] {
        var uses: [String] = []
        var arguments: Substring?
        for line in block.code {
            if let value = line.text.firstMatch(of: #/^(?:let|var) (\w+)/#) { uses.append("_ = \(value.1)") }
            if let test = line.text.firstMatch(of: #/^@Test\(arguments: (.*)\)$/#) { arguments = test.1 }
            if let function = line.text.firstMatch(of: #/^func (\w+)/#), let given = arguments {
                uses.append("test(\(function.1), with: \(given))")
                arguments = nil
            }
        }
        return uses
    }
}

extension Page {
    /// The modules of a package that the page itself writes, file by file.
    fileprivate var ownModules: Set<String> {
        Set(blocks.compactMap { $0.code.first?.text.firstMatch(of: #/^// Sources/(\w+)/#).map { String($0.1) } })
    }
}
