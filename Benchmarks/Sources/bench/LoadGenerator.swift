import Foundation

/// A load generator in C at work on a server: it prints one line of JSON at its end, with what it has counted.
enum LoadGenerator {
    /// Runs it to its end.
    ///
    /// - Parameters:
    ///   - about: what it does, for errors.
    ///   - isSound: whether what it has counted can be; where not, the run has failed.
    static func run<Tally: Decodable>(
        _ command: [String], name: String, about: String, on server: ServerProcess, atMost seconds: Double,
        isSound: (Tally) -> Bool
    ) throws -> Tally {
        let child = try ChildProcess(command + ["--port", String(try server.port())], name: name)
        let status = try child.waitForEnd(atMost: seconds)
        guard status.isSuccess else {
            try server.requireAlive()
            throw BenchError.failed("\(about): it \(status.description); \(child.lastWords)")
        }
        // Whole once the child's end of the pipe is drained, which may be a moment after its end.
        var tally: Tally?
        _ = waitUntil(atMost: 5) {
            tally = try? JSONDecoder().decode(Tally.self, from: Data(child.output.text.utf8))
            return tally != nil
        }
        guard let tally, isSound(tally) else {
            throw BenchError.failed("\(about): it said '\(child.output.text)'; use the \(name) beside this bench")
        }
        return tally
    }
}
