import ChildProcess
import Foundation
import Testing

/// What `PageCode` has found on one page, or in the comments of one source.
struct PageCode {
    let page: String
    let blocks: Int
    let manifests: [Manifest]
}

/// Code of a Package.swift: a whole one, or some targets of one.
struct Manifest: CustomTestStringConvertible {
    let place: String
    let code: String

    var testDescription: String { place }

    /// A Package.swift of it.
    var text: String {
        if !code.hasPrefix(".") { return code }
        return """
            // swift-tools-version: 6.2
            import PackageDescription
            let package = Package(name: "page", dependencies: [.package(path: "../twill")], targets: [
            \(code)
            ])
            """
    }
}

/// Code on pages is compiled as a part of this target, and where it does not compile, there is nothing to run. What is left to do is here.
@Suite struct PagesTests {
    @Test func codeIsFoundOnAllKindsOfPages() {
        let blocks = pagesWithCode.reduce(0) { $0 + $1.blocks }
        print("pages: \(blocks) blocks of Swift code, of \(pagesWithCode.count) pages and sources, are compiled")
        for kind in ["README.md", "Sources/Twill/Twill.docc/", "Sources/TwillTLS/TwillTLS.docc/", "Sources/Twill/Protocol/Protocol.swift"] {
            #expect(pagesWithCode.contains { $0.page.hasPrefix(kind) && $0.blocks > 0 }, "none on \(kind)")
        }
    }

    /// SwiftPM's own reader reads them: it says so where a target or a product is written as it can't be.
    @Test(arguments: pagesWithCode.flatMap(\.manifests))
    func manifestsAreRead(_ manifest: Manifest) throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "twill-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try manifest.text.write(to: folder.appending(path: "Package.swift"), atomically: true, encoding: .utf8)
        let said = try ChildProcess(["swift", "package", "--package-path", folder.path, "dump-package"]).waitForEnd()
        #expect(said.status == 0, "\(manifest.place): \(said.errors)")
    }
}
