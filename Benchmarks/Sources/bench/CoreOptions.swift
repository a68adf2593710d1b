import ArgumentParser
import Foundation

/// Which core the servers run on, and which the load: apart, so that they don't push each other off.
struct CoreOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The core that servers are pinned to.", valueName: "core"))
    var serverCore = 0

    @Option(help: ArgumentHelp("The core that the load is pinned to.", valueName: "core"))
    var loadCore = 1

    func validate() throws {
        let cores = ProcessInfo.processInfo.processorCount
        for core in [serverCore, loadCore] where !(0..<cores).contains(core) {
            throw ValidationError("There is no core \(core); give --server-core and --load-core from 0 to \(cores - 1).")
        }
        guard serverCore != loadCore else {
            throw ValidationError("--server-core and --load-core are both \(serverCore); give the load a core of its own.")
        }
    }

    /// What a server is started behind, and what the load is.
    func wrappers() throws -> (server: [String], load: [String]) {
        let taskset = try Tool.taskset.path()
        return ([taskset, "-c", String(serverCore)], [taskset, "-c", String(loadCore)])
    }
}
