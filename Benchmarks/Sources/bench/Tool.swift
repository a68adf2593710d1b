import Foundation

/// A program of the system's that a measurement stands on, by the apt package that brings it.
enum Tool: String {
    case taskset
    case nice
    case valgrind
    case strace
    case strip

    private var package: String {
        switch self {
        case .taskset: "util-linux"
        case .nice: "coreutils"
        case .valgrind: "valgrind"
        case .strace: "strace"
        case .strip: "binutils"
        }
    }

    /// The path of the program, looked for where the shell would.
    func path() throws -> String {
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin").split(separator: ":")
        for folder in folders {
            let path = "\(folder)/\(rawValue)"
            if FileManager.default.isExecutableFile(atPath: path) { return path }
        }
        throw BenchError.unavailable("\(rawValue) is not installed; run `apt-get install \(package)`")
    }
}
