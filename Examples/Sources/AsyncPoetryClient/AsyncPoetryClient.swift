// Gets poems from any number of servers at once, with async and await: a task for each.
//
//     swift run PoetryServer poem.txt 10000
//     swift run AsyncPoetryClient 10000 10001

import Twill

@main struct AsyncPoetryClient {
    static func main() async throws {
        let ports = CommandLine.arguments.dropFirst().compactMap { Int($0) }
        try await LibeventReactor.run { reactor in
            let tasks = ports.enumerated().map { index, port in
                reactor.task { reactor in try await poem(task: index + 1, port: port, on: reactor) }
            }
            for (index, task) in tasks.enumerated() {
                do {
                    print("Task \(index + 1): \(try await task.value) bytes of poetry")
                } catch {
                    print("Task \(index + 1) failed: \(error)")
                }
            }
        }
    }

    /// Gets one poem; how many bytes it has.
    nonisolated(nonsending) static func poem(task: Int, port: Int, on reactor: any Reactor) async throws -> Int {
        try await reactor.withTimeout(.seconds(10)) {
            let connection = try await reactor.connect("tcp:127.0.0.1:\(port)")
            var count = 0
            for try await chunk in connection.chunks {
                print("Task \(task): got \(chunk.count) bytes of poetry")
                count += chunk.count
            }
            return count
        }
    }
}
