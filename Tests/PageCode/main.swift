// Takes the Swift code out of pages and of the documentation comments of sources, as sources for the tests to compile.
//
//     page-code PACKAGE-FOLDER INDEX OUTPUT INPUT... -- OUTPUT INPUT...
//
// Inputs are named as seen from the package's folder. The index says which pages have how much code, and holds their manifests, for the tests that
// count the one and compile the others. A file that would not change is left as it is, so that nothing is compiled again.

import Foundation

func write(_ text: String, to path: String) throws {
    if let old = try? String(contentsOfFile: path, encoding: .utf8), old == text { return }
    try text.write(toFile: path, atomically: true, encoding: .utf8)
}

/// The modules that code of a page may use without importing them: those of the product that it is about.
func imports(for name: String) -> [String] {
    let parts = name.split(separator: "/")
    guard parts.count > 1 else { return ["Twill"] }
    return ["Twill", String(parts[1])] + (parts[1] == "TwillTesting" ? ["Testing"] : [])
}

var arguments = CommandLine.arguments.dropFirst()
guard let folder = arguments.popFirst(), let index = arguments.popFirst() else {
    print("usage: page-code PACKAGE-FOLDER INDEX OUTPUT INPUT... -- OUTPUT INPUT...")
    exit(64)
}
var entries: [String] = []
do {
    for group in arguments.split(separator: "--") {
        let pages = try group.dropFirst().map { try Page(name: $0, text: String(contentsOfFile: "\(folder)/\($0)", encoding: .utf8)) }
        guard let output = group.first, let first = pages.first else { continue }
        try write(Rendering(imports: imports(for: first.name), pages: pages, folder: folder).text, to: output)
        for page in pages where !page.blocks.isEmpty {
            let manifests = page.blocks.filter(\.isManifest).map { block in
                let code = String(reflecting: block.code.map(\.text).joined(separator: "\n"))
                return "Manifest(place: \"\(page.name):\(block.line)\", code: \(code))"
            }
            let list = manifests.joined(separator: ", ")
            entries.append("    PageCode(page: \"\(page.name)\", blocks: \(page.blocks.count), manifests: [\(list)]),")
        }
    }
    try write("let pagesWithCode: [PageCode] = [\n\(entries.joined(separator: "\n"))\n]\n", to: index)
} catch {
    FileHandle.standardError.write(Data("\(error)\n".utf8))
    exit(1)
}
