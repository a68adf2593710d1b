import Synchronization
import Twill

/// The sockets of a program's ports: what several reactors share, and what a process before this one has handed over.
///
/// The first reactor decides: those behind it ask for the same places in the same order, and get a socket of their own at the address that the first
/// one got, or a copy of its socket. A service asks under its name, so that one that only the first reactor has does not change what the others get.
///
/// What was handed over is dealt out evenly. Where the process before this one had more reactors, each here takes several sockets of a place: closing
/// one would turn away those who wait in it. Where it had fewer, those who get none open a TCP socket that listens only when they start, so that nobody
/// waits in it if they never do; a UDP socket would be sent datagrams at once, and so is shared.
final class SocketTable: Sendable {
    /// A socket and where it is.
    struct Entry: Sendable {
        /// Who asked, for what, and the how-manieth time.
        let place: String
        let descriptor: CInt
        let address: Address
        let isInherited: Bool
    }

    private struct Contents {
        var entries: [Entry] = []
        /// What was handed over and nobody has asked for yet.
        var inherited: [(place: String, descriptor: CInt)] = []
        /// All that was handed over.
        let inheritedDescriptors: Set<CInt>
        var keepsFiles = false

        init(inherited: [(place: String, descriptor: CInt)]) {
            self.inherited = inherited
            inheritedDescriptors = Set(inherited.map(\.descriptor))
        }
    }

    private let contents: Mutex<Contents>
    /// Whether a process behind this one may open more sockets at the same addresses.
    private let mayGrow: Bool
    /// Whether ports wait with accepting until they are told that all services have started.
    private let holdsBack: Bool

    /// - Parameters:
    ///   - inherited: what was handed over, by the places that the process before this one asked for.
    ///   - mayGrow: whether a process behind this one may have more reactors, and so open more sockets at the same addresses.
    ///   - holdsBack: whether ports wait with accepting until ``Source/letGo()``.
    init(inherited: [(place: String, descriptor: CInt)] = [], mayGrow: Bool = false, holdsBack: Bool = false) {
        contents = Mutex(Contents(inherited: inherited))
        (self.mayGrow, self.holdsBack) = (mayGrow, holdsBack)
    }

    /// The table as one reactor sees it.
    func source(for place: ReactorPlace) -> Source {
        Source(self, place)
    }

    /// All that are open, in the order in which they were opened.
    var entries: [Entry] { contents.withLock { $0.entries } }

    /// What was handed over and asked for by nobody; the caller closes it.
    func takeUnused() -> [(place: String, descriptor: CInt)] {
        contents.withLock { contents in
            defer { contents.inherited = [] }
            return contents.inherited
        }
    }

    /// Leaves the files of UNIX sockets alone from now on: another process listens there.
    func keepFiles() {
        contents.withLock { $0.keepsFiles = true }
    }

    /// A reactor's share of what was handed over for a place, each socket once.
    private func takeInherited(_ key: String, for place: ReactorPlace) -> [CInt] {
        let share = contents.withLock { contents -> [CInt] in
            let all = contents.inherited.indices.filter { contents.inherited[$0].place == key }
            let reactorsLeft = place.count - place.number
            let mine = all.prefix((all.count + reactorsLeft - 1) / reactorsLeft)
            defer { for index in mine.reversed() { contents.inherited.remove(at: index) } }
            return mine.map { contents.inherited[$0].descriptor }
        }
        return share.reduce(into: []) { kept, descriptor in
            if kept.contains(where: { System.isSame($0, descriptor) }) { System.close(descriptor) } else { kept.append(descriptor) }
        }
    }

    final class Source: ListeningSocketSource {
        /// Who asks.
        var scope = ""
        private let table: SocketTable
        private let place: ReactorPlace
        /// How often each place was asked for.
        private var counts: [String: Int] = [:]

        /// What is done as soon as all services have started; nil where they have.
        private var held: [() -> Void]?

        fileprivate init(_ table: SocketTable, _ place: ReactorPlace) {
            (self.table, self.place) = (table, place)
            if table.holdsBack { held = [] }
        }

        /// Makes a call when all services of all reactors have started: at once where they have.
        func whenAllHaveStarted(_ call: @escaping () -> Void) {
            if held == nil { call() } else { held?.append(call) }
        }

        /// All services of all reactors have started.
        func letGo() {
            for call in held.take() ?? [] { call() }
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
            let inherited = table.takeInherited(key, for: place)
            if let mine = inherited.first { return .adopt(mine, others: Array(inherited.dropFirst()), ownsFile: true) }
            let isTCP = asked.hasPrefix("tcp:")
            guard let first = table.entries.first(where: { $0.place == key }), !place.isFirst else {
                let isShared = place.count > 1 || (isTCP && table.mayGrow)
                return .open(port: nil, reusePort: isShared && spreads(asked), listensLater: false)
            }
            if spreads(asked), isTCP || !first.isInherited {
                // Its port is paused until its service starts; whoever asks without one begins at once.
                return .open(port: first.address.port.map(Int.init), reusePort: true, listensLater: first.isInherited && !scope.isEmpty)
            }
            guard let copy = System.copy(first.descriptor) else { throw System.failure("fcntl") }
            return .adopt(copy, others: [], ownsFile: false)
        }

        func opened(_ descriptors: [CInt], for asked: String, at address: Address) {
            let key = key(asked)
            table.contents.withLock { contents in
                for descriptor in descriptors {
                    let isInherited = contents.inheritedDescriptors.contains(descriptor)
                    contents.entries.append(Entry(place: key, descriptor: descriptor, address: address, isInherited: isInherited))
                }
            }
            counts["\(scope) \(asked)", default: 0] += 1
        }

        func closing(_ descriptor: CInt) {
            table.contents.withLock { $0.entries.removeAll { $0.descriptor == descriptor } }
        }

        /// Whether the system spreads the peers of a place over several sockets.
        private func spreads(_ asked: String) -> Bool {
            #if os(Linux)
            return asked.hasPrefix("tcp:") || asked.hasPrefix("udp:")
            #else
            return false
            #endif
        }
    }
}

extension Service {
    /// The sockets of this program's ports as the service's reactor sees them; nil where nobody keeps them.
    var sockets: SocketTable.Source? { (reactor as? LibeventReactor)?.listeningSockets as? SocketTable.Source }

    /// Opens a port, which is found under this service's name by the other reactors, and by the next process.
    func listening<Port>(_ open: () throws -> Port) rethrows -> Port {
        let sockets = sockets
        sockets?.scope = logPrefix
        defer { sockets?.scope = "" }
        return try open()
    }
}
