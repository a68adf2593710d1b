/// Where and how a UNIX socket listens.
///
/// Twisted: the parameters of `IReactorUNIX.listenUNIX`.
public struct UNIXBinding: Sendable {
    /// The socket's path, of at most 107 bytes; or a name that begins with `@`, which Linux keeps apart from all files.
    public var path: String
    /// Who may connect, as the permission bits of the socket's file; only its owner by default.
    public var mode: UInt16
    /// Whether a lock file, the path and `.lock`, keeps a second server away while this one lives; on by default.
    ///
    /// It is what makes removing a socket safe that a server has left behind. A name that begins with `@` needs none.
    public var wantsLock: Bool
    /// How many connections may wait to be accepted; the system may have a lower limit of its own.
    public var backlog: Int
    /// How many connections of this socket may be open at once; see ``TCPBinding/connectionsMax``.
    public var connectionsMax: Int?
    /// How many connections one turn of the loop accepts; see ``TCPBinding/acceptsPerTurn``.
    public var acceptsPerTurn = 64
    /// What each accepted connection gets; what belongs to TCP in it is passed over.
    public var options: TransportOptions

    /// Describes a socket; 4096 connections may wait.
    public init(
        path: String, mode: UInt16 = 0o600, wantsLock: Bool = true, backlog: Int = 4096, connectionsMax: Int? = nil,
        options: TransportOptions = TransportOptions()
    ) {
        self.path = path
        self.mode = mode
        self.wantsLock = wantsLock
        self.backlog = backlog
        self.connectionsMax = connectionsMax
        self.options = options
    }
}

/// Where and how a connection to a UNIX socket goes.
public struct UNIXTarget: Sendable {
    /// The socket's path, or a name that begins with `@`.
    public var path: String
    /// How long the attempt may take; 30 seconds by default.
    public var timeout: Duration
    /// What the connection gets; what belongs to TCP in it is passed over.
    public var options: TransportOptions

    /// Describes a connection.
    public init(path: String, timeout: Duration = .seconds(30), options: TransportOptions = TransportOptions()) {
        self.path = path
        self.timeout = timeout
        self.options = options
    }
}

/// Who is at the other end of a UNIX socket, as the system vouches for it.
public struct PeerCredentials: Hashable, Sendable {
    /// The process; nil where the system does not tell.
    public let processID: Int32?
    /// The user that the process ran as when it connected.
    public let userID: UInt32
    /// The group that the process ran as when it connected.
    public let groupID: UInt32
}
