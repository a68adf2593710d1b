import Foundation
import PackagePlugin

/// Has `PageCode` take the code out of README.md, of the pages of every DocC catalogue and of the documentation comments of every product, for the
/// target that compiles it.
@main struct PageCodePlugin: BuildToolPlugin {
    func createBuildCommands(context: PluginContext, target: any Target) throws -> [Command] {
        let package = context.package.directoryURL
        let output = context.pluginWorkDirectoryURL
        let index = output.appending(path: "Index.swift")
        // What goes into one file: a page, or the comments of a product.
        var names: [String: [String]] = ["README": ["README.md"]]
        for path in try FileManager.default.subpathsOfDirectory(atPath: package.appending(path: "Sources").path).sorted() {
            let product = path.prefix { $0 != "/" }
            let file = URL(filePath: path)
            switch file.pathExtension {
            case "md": names["\(product).\(file.deletingPathExtension().lastPathComponent)", default: []].append("Sources/\(path)")
            case "swift": names["\(product).comments", default: []].append("Sources/\(path)")
            default: break
            }
        }
        let files = names.sorted { $0.key < $1.key }.map { (output: output.appending(path: "\($0.key).swift"), inputs: $0.value) }
        return [
            .buildCommand(
                displayName: "Taking the code out of pages",
                executable: try context.tool(named: "PageCode").url,
                arguments: [package.path, index.path] + files.map { [$0.output.path] + $0.inputs }.joined(separator: ["--"]),
                inputFiles: files.flatMap { $0.inputs.map { package.appending(path: $0) } },
                outputFiles: [index] + files.map(\.output))
        ]
    }
}
