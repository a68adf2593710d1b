import Synchronization
import Twill

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// The listening sockets of a program: what several reactors share, and what a process before this one has handed over.
///
/// The first reactor decides: those behind it ask for the same places in the same order, and get a socket of their own at the address that the first
/// one got, or a copy of its socket. A service asks under its name, so that one that only the first reactor has does not change what the others get.
final class SocketTable: Sendable {
    /// A socket and where it is.
    struct Entry: Sendable {
        /// Who asked, for what, and the how-manieth time.
        let place: String
        let descriptor: CInt
        let address: Address
    }

    private struct Contents {
        var entries: [Entry] = []
        /// What was handed over and nobody has asked for yet.
        var inherited: [(place: String, descriptor: CInt)] = []
        var keepsFiles = false
    }

    private let contents: Mutex<Contents>
    /// Whether a process behind this one may open more sockets at the same addresses.
    private let mayGrow: Bool

    /// - Parameters:
    ///   - inherited: what was handed over, by the places that the process before this one asked for.
    ///   - mayGrow: whether a process behind this one may have more reactors, and so open more sockets at the same addresses.
    init(inherited: [(place: String, descriptor: CInt)] = [], mayGrow: Bool = false) {
        contents = Mutex(Contents(inherited: inherited))
        self.mayGrow = mayGrow
    }

    /// The table as one reactor sees it.
    func source(for place: ReactorPlace) -> Source {
        Source(self, place)
    }

    /// All that are open, in the order in which they were opened.
    var entries: [Entry] { contents.withLock { $0.entries } }

    /// What was handed over in vain; the caller closes it.
    func takeUnused() -> [CInt] {
        contents.withLock { contents in
            defer { contents.inherited = [] }
            return contents.inherited.map(\.descriptor)
        }
    }

    /// Leaves the files of UNIX sockets alone from now on: another process listens there.
    func keepFiles() {
        contents.withLock { $0.keepsFiles = true }
    }

    private func takeInherited(_ place: String) -> CInt? {
        contents.withLock { contents in
            guard let index = contents.inherited.firstIndex(where: { $0.place == place }) else { return nil }
            return contents.inherited.remove(at: index).descriptor
        }
    }

    final class Source: ListeningSocketSource {
        /// Who asks.
        var scope = ""
        private let table: SocketTable
        private let place: ReactorPlace
        /// How often each place was asked for.
        private var counts: [String: Int] = [:]

        fileprivate init(_ table: SocketTable, _ place: ReactorPlace) {
            (self.table, self.place) = (table, place)
        }

        var keepsFiles: Bool { table.contents.withLock { $0.keepsFiles } }

        private func key(_ asked: String) -> String {
            let asked = "\(scope) \(asked)"
            // It is sent as a line when it is handed over.
            let line = asked.contains(where: \.isNewline) ? String(asked.map { $0.isNewline ? " " : $0 }) : asked
            return "\(line)#\(counts[asked, default: 0])"
        }

        func answer(for asked: String) throws -> ListeningSocketAnswer {
            let key = key(asked)
            if let descriptor = table.takeInherited(key) { return .adopt(descriptor, ownsFile: true) }
            let first = table.entries.first { $0.place == key }
            guard let first, !place.isFirst else {
                return .open(port: nil, reusePort: spreads(asked) && (place.count > 1 || table.mayGrow))
            }
            if spreads(asked) { return .open(port: first.address.port.map(Int.init), reusePort: true) }
            let copy = fcntl(first.descriptor, F_DUPFD_CLOEXEC, 3)
            guard copy >= 0 else { throw System.failure("fcntl") }
            return .adopt(copy, ownsFile: false)
        }

        func opened(_ descriptor: CInt, for asked: String, at address: Address) {
            let entry = Entry(place: key(asked), descriptor: descriptor, address: address)
            table.contents.withLock { $0.entries.append(entry) }
            counts["\(scope) \(asked)", default: 0] += 1
        }

        func closing(_ descriptor: CInt) {
            table.contents.withLock { $0.entries.removeAll { $0.descriptor == descriptor } }
        }

        /// Whether the system spreads the connections of a place over several sockets.
        private func spreads(_ asked: String) -> Bool {
            #if os(Linux)
            return asked.hasPrefix("tcp:")
            #else
            return false
            #endif
        }
    }
}
