/// Makes one source file of the code on pages, for the compiler alone: nothing of it is ever run.
///
/// Each block is a function inside that of the block before it on its page. So a block may use what was declared further up, and declare the
/// same name again; and whether it awaits something is its own affair. Errors name the page and the line.
struct Rendering {
    /// Modules that the file imports beside those that the code does.
    let imports: [String]
    let pages: [Page]
    /// Where the pages are, for editors to find them.
    let folder: String

    var text: String {
        var body: [String] = []
        var modules = Set(imports)
        for page in pages {
            let blocks = page.blocks.filter { !$0.isManifest }
            guard !blocks.isEmpty else { continue }
            let own = modulesMadeOn(page)
            body.append("func \(page.identifier)() {")
            for block in blocks { body += begin(block, of: page, own: own, modules: &modules) }
            body.append(String(repeating: "}\n", count: blocks.count) + "}")
        }
        if body.isEmpty { return "" }
        return (modules.sorted().map { "import \($0)" } + body).joined(separator: "\n") + "\n"
    }

    /// A block as a function that has no end yet.
    private func begin(_ block: Block, of page: Page, own: Set<String>, modules: inout Set<String>) -> [String] {
        let awaits = block.lines.contains { !$0.text.hasPrefix(" ") && ($0.text + " ").contains(" await ") }
        var body = ["func line\(block.line)() \(awaits ? "async " : "")throws {"]
        var uses: [String] = []
        var arguments: Substring?
        func place(_ line: Block.Line?) {
            body.append(line.map { "#sourceLocation(file: \"\(folder)/\(page.name)\", line: \($0.number))" } ?? "#sourceLocation()")
        }
        for lines in [block.hidden, block.code] where !lines.isEmpty {
            place(lines[0])
            for line in lines {
                let code = line.text.replacing(#/^public (?=import )|\bpublic (?!import )/#, with: "")
                if let match = code.firstMatch(of: #/^import (\w+)$/#) {
                    if !own.contains(String(match.1)) { modules.insert(String(match.1)) }
                    body.append("")
                } else if let match = code.firstMatch(of: #/^@Test\(arguments: (.*)\)$/#) {
                    arguments = match.1
                    body.append("")
                } else {
                    body.append(code.replacing(#/^@(Test|main) /#, with: ""))
                }
                if let match = code.firstMatch(of: #/^(?:let|var) (\w+)/#) { uses.append("_ = \(match.1)") }
                if let match = code.firstMatch(of: #/^func (\w+)/#), let given = arguments {
                    uses.append("test(\(match.1), with: \(given))")
                    arguments = nil
                }
            }
            place(nil)
        }
        let open = block.hidden.reduce(0) { $0 + $1.text.count { $0 == "{" } - $1.text.count { $0 == "}" } }
        body += Array(repeating: "}", count: max(open, 0))
        // What is shown only to be seen is used here, or the compiler would warn of it.
        if !uses.isEmpty { body.append("func uses() { \(uses.joined(separator: "; ")) }") }
        return body
    }

    /// The modules of a package that the page itself writes, file by file.
    private func modulesMadeOn(_ page: Page) -> Set<String> {
        Set(page.blocks.compactMap { $0.code.first?.text.firstMatch(of: #/^// Sources/(\w+)/#).map { String($0.1) } })
    }
}

extension Page {
    /// The name, as Swift would have one.
    var identifier: String { name.replacing(#/\W/#, with: "_") }
}
