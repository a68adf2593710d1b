/// Where a UNIX datagram socket is, and where it sends.
///
/// Twisted: the parameters of `IReactorUNIXDatagram.listenUNIXDatagram` and `connectUNIXDatagram`.
public struct UNIXDatagramBinding: Sendable {
    /// The socket's own path, or a name that begins with `@`, which Linux keeps apart from all files; nil for a socket that nobody can answer.
    public var path: String?
    /// The path of the one peer that it sends to and hears from; nil for a socket that sends to whatever address a write names.
    public var peer: String?
    /// Who may send to it, as the permission bits of the socket's file; only its owner by default.
    public var mode: UInt16
    /// Whether a lock file, the path and `.lock`, keeps a second server away while this one lives; see ``UNIXBinding/wantsLock``.
    public var wantsLock: Bool
    /// The longest datagram that is delivered, in bytes; see ``UDPBinding/maxPacketSize``.
    public var maxPacketSize: Int
    /// What the socket asks of the system and of Twill; what belongs to UDP in it is passed over.
    public var options: DatagramOptions

    /// Describes a socket.
    public init(
        path: String?, peer: String? = nil, mode: UInt16 = 0o600, wantsLock: Bool = true, maxPacketSize: Int = 8192,
        options: DatagramOptions = DatagramOptions()
    ) {
        self.path = path
        self.peer = peer
        self.mode = mode
        self.wantsLock = wantsLock
        self.maxPacketSize = maxPacketSize
        self.options = options
    }
}
