import ArgumentParser
import Foundation

/// The options that every measurement has: where the programs are, and whether the gates count.
struct CommonOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The twill to measure (default: the repository's .build/release/twill).", valueName: "path"))
    var twill: String?

    @Option(
        help: ArgumentHelp(
            "The folder of the programs of all other servers, twill-async among them (default: bench's own).", valueName: "folder")
    )
    var peers: String?

    @Flag(help: "Report only: exit 0 even if a gate fails.")
    var noGates = false

    /// Ends the command with status 1 if a gate failed and gates count.
    func judge(_ gates: [Gate]) throws {
        let failed = gates.filter { !$0.passed }
        guard !failed.isEmpty else { return }
        Progress.say("bench: \(failed.count) of \(gates.count) gates failed: \(failed.map(\.name).joined(separator: ", "))")
        if !noGates { throw ExitCode(1) }
    }
}

/// The programs that a measurement starts: `twill`, which is a server and the load tester, and those of the other servers.
struct Programs {
    let twill: String
    private let peers: URL

    /// - Throws: where the program of one of the servers isn't there.
    init(_ options: CommonOptions, for servers: [Server]) throws {
        peers = Programs.peerFolder(options)
        twill = try Programs.twill(at: options.twill, ownFolder: Programs.ownFolder)
        for server in servers { _ = try path(of: server) }
    }

    private init(twill: String, peers: URL) {
        self.twill = twill
        self.peers = peers
    }

    /// The program of a server.
    func path(of server: Server) throws -> String {
        try server == .twill ? twill : Programs.peer(server.program, in: peers)
    }

    /// The load generator of `bench churn`, which is where the peers are. No other measurement needs it.
    static func churnClient(_ options: CommonOptions) throws -> String {
        try peer("churn-client", in: peerFolder(options))
    }

    /// A program of `bench udp`, which is where the peers are. No other measurement needs it.
    static func udpPeer(_ name: String, _ options: CommonOptions) throws -> String {
        try peer(name, in: peerFolder(options))
    }

    /// A program of `bench reactors`, which is where the peers are. No other measurement needs it.
    static func reactorsPeer(_ name: String, _ options: CommonOptions) throws -> String {
        try peer(name, in: peerFolder(options))
    }

    /// A program of `bench tls`, which is where the peers are. No other measurement needs it.
    static func tlsPeer(_ name: String, _ options: CommonOptions) throws -> String {
        try peer(name, in: peerFolder(options))
    }

    /// The program of `bench framers`, which is where the peers are. No other measurement needs it.
    static func framerBench(_ options: CommonOptions) throws -> String {
        try peer("framer-bench", in: peerFolder(options))
    }

    /// Copies of the servers' programs in `folder`, without their debug information.
    ///
    /// valgrind before 3.22 gives up on the DWARF 5 that Swift's compilers write. Symbols stay, so functions keep their names; what is counted
    /// stays the same.
    func stripped(_ servers: [Server], into folder: TemporaryFolder) throws -> Programs {
        let copy = try Programs.strip(twill, into: folder)
        for program in try Set(servers.map(path)) where program != twill { _ = try Programs.strip(program, into: folder) }
        return Programs(twill: copy, peers: URL(fileURLWithPath: folder.path))
    }

    /// A copy of one program.
    static func strip(_ program: String, into folder: TemporaryFolder) throws -> String {
        let strip = try Tool.strip.path()
        let copy = folder.file(URL(fileURLWithPath: program).lastPathComponent)
        let child = try ChildProcess([strip, "--strip-debug", "-o", copy, program], name: "strip")
        let status = try child.waitForEnd(atMost: 60)
        guard status.isSuccess else { throw BenchError.failed("strip \(program): it \(status.description); \(child.lastWords)") }
        return copy
    }

    /// The folder of the bench that runs, which SwiftPM puts beside the peers.
    private static var ownFolder: URL {
        let executable = Bundle.main.executableURL ?? URL(fileURLWithPath: CommandLine.arguments.first ?? ".")
        return executable.resolvingSymlinksInPath().deletingLastPathComponent()
    }

    private static func peerFolder(_ options: CommonOptions) -> URL {
        options.peers.map { URL(fileURLWithPath: $0) } ?? ownFolder
    }

    private static func peer(_ name: String, in folder: URL) throws -> String {
        let path = folder.appendingPathComponent(name).path
        guard FileManager.default.isExecutableFile(atPath: path) else {
            throw BenchError.unavailable(
                "there is no \(name) in \(folder.path); run `swift build -c release` in Benchmarks, or give its folder with --peers")
        }
        return path
    }

    private static func twill(at path: String?, ownFolder: URL) throws -> String {
        let candidates = path.map { [URL(fileURLWithPath: $0)] } ?? defaultTwills(ownFolder: ownFolder)
        if let found = candidates.first(where: { FileManager.default.isExecutableFile(atPath: $0.path) }) { return found.path }
        let places = candidates.map(\.path).joined(separator: " or ")
        throw BenchError.unavailable(
            "there is no twill at \(places); run `swift build -c release` in the repository, or give its path with --twill")
    }

    /// Beside this package's folder, found from where bench is run or from where bench was built.
    private static func defaultTwills(ownFolder: URL) -> [URL] {
        var folders = [URL(fileURLWithPath: ".."), URL(fileURLWithPath: ".")]
        var folder = ownFolder
        while folder.pathComponents.count > 1, folder.lastPathComponent != ".build" { folder.deleteLastPathComponent() }
        if folder.lastPathComponent == ".build" {
            folders.append(folder.deletingLastPathComponent().deletingLastPathComponent())
        }
        var twills: [URL] = []
        for folder in folders {
            let twill = folder.appendingPathComponent(".build/release/twill").standardizedFileURL
            if !twills.contains(twill) { twills.append(twill) }
        }
        return twills
    }
}
