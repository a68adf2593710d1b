extension FaultyProxy {
    /// The way that bytes go; written as the names of a ``SimulatedNetwork``'s links are.
    public enum Direction: String, Hashable, Sendable, CaseIterable {
        case toServer = "client>server"
        case toClient = "server>client"
    }

    /// A fault that a connection has met.
    public struct Event: Hashable, Sendable {
        /// Which connection it is, from 1 in the order in which they were accepted.
        public let connection: Int
        /// What has happened.
        public let fault: Fault
        /// The direction whose bytes met it; nil for what befell the attempt to connect.
        public let direction: Direction?
        /// How many bytes of that direction went through before.
        public let offset: Int
        /// For how long a stall or a slow connect holds everything up.
        public let duration: Duration?
        /// How the connection ends by it; nil where it goes on.
        public let ending: FaultPlan.Ending?
    }

    /// What a proxy has done so far.
    public struct Statistics: Hashable, Sendable {
        /// Connections that were accepted.
        public internal(set) var connections = 0
        /// Those of them that are still there, those that hang or have vanished included.
        public internal(set) var open = 0
        /// Those of them whose target could not be reached; no fault of this proxy's.
        public internal(set) var unreachable = 0
        /// Bytes that were passed on to the target.
        public internal(set) var bytesToServer = 0
        /// Bytes that were passed on to clients.
        public internal(set) var bytesToClient = 0
        /// How often each fault has happened; those that never did are not there.
        public internal(set) var faults: [Fault: Int] = [:]
    }
}

extension FaultyProxy.Event: CustomStringConvertible {
    public var description: String {
        "#\(connection)\(direction.map { " \($0.rawValue)" } ?? ""): \(words)"
    }

    private var words: String {
        let seconds = "\((duration ?? .zero).rounded) s"
        return switch fault {
        case .refusals: "refused"
        case .hangs: "hangs"
        case .slowConnects: "connects only after \(seconds)"
        case .earlyResets: "reset before the first byte"
        case .byteByByte: "byte by byte"
        case .splits: "split after \(bytes)"
        case .stalls, .zeroWindows: "held up for \(seconds) after \(bytes)"
        case .ends, .resets, .vanishes: end
        case .cut: "cut: \(end)"
        // What a relay has not: datagrams, names, hosts.
        default: fault.rawValue
        }
    }

    private var end: String {
        switch ending {
        case .end: "ends after \(bytes)"
        case .reset: "reset after \(bytes)"
        case .vanish: "vanishes after \(bytes)"
        case nil: "goes on"
        }
    }

    private var bytes: String { offset == 1 ? "1 byte" : "\(offset) bytes" }
}

extension FaultyProxy.Statistics: CustomStringConvertible {
    /// One sentence, with the faults in the order of ``Fault``.
    public var description: String {
        let happened = Fault.allCases.compactMap { fault in faults[fault].map { "\(fault.rawValue) \($0)" } }
        let lost = unreachable > 0 ? ", \(unreachable) without a target" : ""
        return
            "\(connections) connection\(connections == 1 ? "" : "s")\(lost), \(bytesToServer) bytes to the server, \(bytesToClient) to clients; "
            + (happened.isEmpty ? "no faults" : "faults: " + happened.joined(separator: ", "))
    }
}

extension Duration {
    /// The seconds, to the millisecond.
    fileprivate var rounded: Double { (self / .seconds(1) * 1_000).rounded() / 1_000 }
}
