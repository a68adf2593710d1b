import Foundation

/// valgrind's callgrind: counts every instruction that a program runs in user space.
struct Callgrind {
    private let valgrind: String
    private let profiles: TemporaryFolder

    /// - Parameter profiles: where its files are written.
    init(profiles: TemporaryFolder) throws {
        valgrind = try Tool.valgrind.path()
        self.profiles = profiles
    }

    /// Runs a program behind callgrind, which is put in front of its command line, and gives the instructions from its start to its end.
    func count(_ name: String, _ run: (_ wrapper: [String]) throws -> Void) throws -> Double {
        let file = profiles.file("\(name).out")
        try run([valgrind, "-q", "--tool=callgrind", "--callgrind-out-file=\(file)"])
        let lines = try readText(file, of: "callgrind").split(separator: "\n")
        // The number that valgrind itself prints as "Collected".
        let totals = lines.last { $0.hasPrefix("totals: ") }
        guard let total = totals?.dropFirst("totals: ".count).split(separator: " ").first, let total = Double(total) else {
            throw BenchError.failed("callgrind's file \(file) has no totals; did \(name) end well?")
        }
        return total
    }
}
