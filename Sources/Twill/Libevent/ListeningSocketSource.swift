/// Whom a reactor asks before it opens a listening socket: one may be there already, of another reactor of this process or of the process before it.
///
/// Everything is called on the thread that listens.
package protocol ListeningSocketSource: AnyObject {
    /// What is to become of a place, which is `tcp:INTERFACE:PORT`, `unix:PATH` or `fd:NUMBER`.
    func answer(for place: String) throws -> ListeningSocketAnswer

    /// Called with what has been opened, or taken over, for a place.
    func opened(_ descriptor: CInt, for place: String, at address: Address)

    /// Called when such a socket is about to be closed.
    func closing(_ descriptor: CInt)

    /// Whether the files of UNIX sockets stay when their ports close, because others go on to listen there.
    var keepsFiles: Bool { get }
}

/// What is to become of a place to listen at.
package enum ListeningSocketAnswer {
    /// A socket is opened, at this port if one is given.
    case open(port: Int?, reusePort: Bool)
    /// This socket is taken over. The file that it may have goes with its port if that is this port's business.
    case adopt(CInt, ownsFile: Bool)
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
        case .open(let port, let reusePort):
            var binding = binding
            binding.port = port ?? binding.port
            binding.reusePort = binding.reusePort || reusePort
            self = try ListeningSocket(binding)
        case .adopt(let descriptor, _):
            self = try ListeningSocket(adopting: descriptor)
            (options, connectionsMax, acceptsPerTurn) = (binding.options, binding.connectionsMax, binding.acceptsPerTurn)
        }
        source.opened(socket.descriptor, for: place, at: address)
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
        case .adopt(let descriptor, let ownsFile):
            self = try ListeningSocket(adopting: descriptor)
            (options, connectionsMax, acceptsPerTurn) = (binding.options, binding.connectionsMax, binding.acceptsPerTurn)
            if ownsFile { file = UNIXSocketFile(takingOver: binding.path) }
        }
        source.opened(socket.descriptor, for: place, at: address)
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
        case .adopt(let other, _): self = try ListeningSocket(adopting: other)
        }
        source.opened(socket.descriptor, for: place, at: address)
    }
}
