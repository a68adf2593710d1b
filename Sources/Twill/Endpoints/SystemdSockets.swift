#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// The listening sockets that a service manager has opened for this process (`sd_listen_fds`), told by three variables of the environment.
///
/// Twisted: `twisted.python.systemd.ListenFDs`.
public struct SystemdSockets: Sendable {
    /// The descriptor of the first socket; the others follow it.
    private static let firstDescriptor: Int32 = 3
    /// More than any process may have.
    private static let countMax = 1 << 20

    /// The names of the sockets, in their order; empty where they have none.
    public let names: [String]
    /// How many there are.
    public let count: Int

    /// Reads the variables `LISTEN_PID`, `LISTEN_FDS` and `LISTEN_FDNAMES`. Those that are for another process, or make no sense, count as no
    /// sockets.
    public init(environment: [String: String], processID: Int32) {
        guard let process = environment["LISTEN_PID"].flatMap({ Int32($0) }), process == processID,
            let count = environment["LISTEN_FDS"].flatMap({ Int($0) }), (1...Self.countMax).contains(count)
        else {
            self.count = 0
            names = []
            return
        }
        self.count = count
        let names = environment["LISTEN_FDNAMES"]?.split(separator: ":", omittingEmptySubsequences: false).map(String.init) ?? []
        self.names = names.count == count ? names : []
    }

    /// The sockets of this process. The variables are taken out of the environment when they are first read, so that a child does not take the
    /// sockets for its own.
    public static let ofThisProcess: SystemdSockets = {
        var environment: [String: String] = [:]
        for name in ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"] {
            environment[name] = systemEnvironment(name)
            systemForget(name)
        }
        return SystemdSockets(environment: environment, processID: getpid())
    }()

    /// The descriptor of the socket with a number, from 0; nil where there are fewer.
    public func descriptor(at index: Int) -> Int32? {
        (0..<count).contains(index) ? Self.firstDescriptor + Int32(index) : nil
    }

    /// The descriptor of the first socket with a name.
    public func descriptor(named name: String) -> Int32? {
        names.firstIndex(of: name).flatMap(descriptor(at:))
    }

    /// `systemd:index=N` or `systemd:name=NAME`, with `domain=INET`, `INET6` or `UNIX`, which is taken for granted.
    static func endpoint(
        _ parts: EndpointDescription, among sockets: @autoclosure () -> SystemdSockets = .ofThisProcess
    ) throws(EndpointError) -> AdoptedServerEndpoint {
        try parts.expect(argumentsMax: 0, options: ["domain", "index", "name"])
        if let domain = parts.options["domain"], !["INET", "INET6", "UNIX"].contains(domain.text.uppercased()) {
            throw parts.error(domain, "is no domain: give INET, INET6 or UNIX")
        }
        let sockets = sockets()
        switch (parts.options["index"], parts.options["name"]) {
        case (let index?, nil):
            let number = try parts.number(index, in: 0...countMax, called: "index")
            guard let descriptor = sockets.descriptor(at: number) else {
                throw parts.error(index, "is no socket of this process: systemd has handed it \(sockets.count)")
            }
            return AdoptedServerEndpoint(descriptor: descriptor)
        case (nil, let name?):
            guard let descriptor = sockets.descriptor(named: name.text) else {
                let known = sockets.names.isEmpty ? "they have no names" : "they are called \(sockets.names.joined(separator: ", "))"
                throw parts.error(name, "is no socket of this process: systemd has handed it \(sockets.count), and \(known)")
            }
            return AdoptedServerEndpoint(descriptor: descriptor)
        case (nil, nil): throw parts.missing("has neither index nor name: write systemd:index=0 or systemd:name=NAME")
        case (_?, let name?): throw parts.error(name, "is too much beside the index: give one of the two")
        }
    }
}
