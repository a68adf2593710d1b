import Foundation
import PackagePlugin

/// Has `PageCode` take the code out of README.md, of the pages of every DocC catalogue and of the documentation comments of every product, and gives
/// it to the target that compiles it.
@main struct PageCodePlugin: BuildToolPlugin {
    func createBuildCommands(context: PluginContext, target: any Target) throws -> [Command] {
        let package = context.package.directoryURL
        let output = context.pluginWorkDirectoryURL
        let index = output.appending(path: "Index.swift")
        var groups: [(output: URL, inputs: [URL])] = [(output.appending(path: "README.swift"), [package.appending(path: "README.md")])]
        for product in try files(in: package.appending(path: "Sources")) {
            let sources = FileManager.default.enumerator(at: product, includingPropertiesForKeys: nil)?.compactMap { $0 as? URL } ?? []
            let name = product.lastPathComponent
            for page in sources.sorted(by: { $0.path < $1.path }) where page.pathExtension == "md" {
                groups.append((output.appending(path: "\(name).\(page.deletingPathExtension().lastPathComponent).swift"), [page]))
            }
            let swift = sources.filter { $0.pathExtension == "swift" }.sorted { $0.path < $1.path }
            if !swift.isEmpty { groups.append((output.appending(path: "\(name).comments.swift"), swift)) }
        }
        let arguments = groups.map { [$0.output.path] + $0.inputs.map(\.path) }.joined(separator: ["--"])
        return [
            .buildCommand(
                displayName: "Taking the code out of pages",
                executable: try context.tool(named: "PageCode").url,
                arguments: [package.path, index.path] + arguments,
                inputFiles: groups.flatMap(\.inputs),
                outputFiles: [index] + groups.map(\.output))
        ]
    }

    private func files(in folder: URL) throws -> [URL] {
        try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil).sorted { $0.path < $1.path }
    }
}
