/// Whom a reactor asks before it opens a port: a socket may be there already, of another reactor of this process or of the process before it.
///
/// Everything is called on the thread that listens.
package protocol ListeningSocketSource: AnyObject {
    /// What is to become of a place, which is `tcp:INTERFACE:PORT`, `udp:INTERFACE:PORT`, `unix:PATH` or `fd:NUMBER`.
    func answer(for place: String) throws -> ListeningSocketAnswer

    /// Called with what has been opened, or taken over, for a place.
    func opened(_ descriptors: [CInt], for place: String, at address: Address)

    /// Called when such a socket is about to be closed.
    func closing(_ descriptor: CInt)

    /// Whether the files of UNIX sockets stay when their ports close, because others go on to listen there.
    var keepsFiles: Bool { get }
}

/// What is to become of a place to listen at.
package enum ListeningSocketAnswer {
    /// A socket is opened, at this port if one is given. One that listens later does so when its port accepts for the first time: until then the
    /// system sends nobody there.
    case open(port: Int?, reusePort: Bool, listensLater: Bool)
    /// A socket is taken over, and others of the same place with it, which nobody else takes. The file that it may have goes with its port if that is
    /// this port's business.
    case adopt(CInt, others: [CInt], ownsFile: Bool)
}

extension ListeningSocket {
    /// Opens a TCP port, or takes one over.
    init(_ binding: TCPBinding, from source: (any ListeningSocketSource)?) throws {
        guard let source else {
            self = try ListeningSocket(binding)
            return
        }
        let place = "tcp:\(binding.interface):\(binding.port)"
        switch try source.answer(for: place) {
        case .open(let port, let reusePort, let listensLater):
            var binding = binding
            binding.port = port ?? binding.port
            binding.reusePort = binding.reusePort || reusePort
            self = try ListeningSocket(binding, listensLater: listensLater)
        case .adopt(let descriptor, let others, _):
            self = try ListeningSocket(adopting: descriptor, others: others)
            (options, connectionsMax, acceptsPerTurn) = (binding.options, binding.connectionsMax, binding.acceptsPerTurn)
        }
        tell(source, place)
    }

    /// Opens a UNIX socket, or takes one over.
    init(_ binding: UNIXBinding, from source: (any ListeningSocketSource)?) throws {
        guard let source else {
            self = try ListeningSocket(binding)
            return
        }
        let place = "unix:\(binding.path)"
        switch try source.answer(for: place) {
        case .open: self = try ListeningSocket(binding)
        case .adopt(let descriptor, let others, let ownsFile):
            self = try ListeningSocket(adopting: descriptor, others: others)
            (options, connectionsMax, acceptsPerTurn) = (binding.options, binding.connectionsMax, binding.acceptsPerTurn)
            if ownsFile { file = UNIXSocketFile(takingOver: binding.path) }
        }
        tell(source, place)
    }

    /// Takes over a socket that somebody else has opened, or one that stands for it.
    init(adopting descriptor: CInt, from source: (any ListeningSocketSource)?) throws {
        guard let source else {
            self = try ListeningSocket(adopting: descriptor)
            return
        }
        let place = "fd:\(descriptor)"
        switch try source.answer(for: place) {
        case .open: self = try ListeningSocket(adopting: descriptor)
        case .adopt(let other, let others, _): self = try ListeningSocket(adopting: other, others: others)
        }
        tell(source, place)
    }

    private init(adopting descriptor: CInt, others: [CInt]) throws(ListenError) {
        do {
            self = try ListeningSocket(adopting: descriptor)
            for other in others { self.others.append(try ListeningSocket(adopting: other).socket) }
        } catch {
            for unused in [descriptor] + others { systemClose(unused) }
            throw error
        }
    }

    private func tell(_ source: any ListeningSocketSource, _ place: String) {
        source.opened(([socket] + others).map(\.descriptor), for: place, at: address)
    }
}

extension UDPSocket {
    /// Opens a UDP port, or takes one over and others with it.
    static func open(
        _ binding: UDPBinding, from source: (any ListeningSocketSource)?
    ) throws -> (socket: UDPSocket, others: [UDPSocket], host: Address) {
        guard let source else {
            let (socket, host) = try open(binding)
            return (socket, [], host)
        }
        let place = "udp:\(binding.interface):\(binding.port)"
        let made: (socket: UDPSocket, others: [UDPSocket], host: Address)
        switch try source.answer(for: place) {
        case .open(let port, let reusePort, _):
            var binding = binding
            binding.port = port ?? binding.port
            binding.reusePort = binding.reusePort || reusePort
            let (socket, host) = try open(binding)
            made = (socket, [], host)
        case .adopt(let descriptor, let others, _):
            do throws(SystemError) {
                let socket = try UDPSocket(adopting: descriptor, binding)
                let others = try others.map { (other) throws(SystemError) in try UDPSocket(adopting: other, binding) }
                made = (socket, others, socket.socket.localAddress)
            } catch {
                for unused in [descriptor] + others { systemClose(unused) }
                throw ListenError.failed.on("\(binding.interface):\(binding.port)", because: error)
            }
        }
        source.opened(([made.socket] + made.others).map(\.descriptor), for: place, at: made.host)
        return made
    }
}
