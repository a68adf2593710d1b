public import Logging

/// An event loop: it waits for connections, timers and calls from other threads, and runs your code when one is there.
///
/// ```swift
/// let reactor = try LibeventReactor()
/// try reactor.listenTCP(port: 8007, factory: Factory { Echo() })
/// try reactor.run()
/// ```
///
/// # Contract
/// - A reactor belongs to the thread that runs it. Nothing of it is `Sendable` but ``handle``, so the compiler keeps everything else there.
/// - One turn of the loop, in this order: input and output that is ready, timers that are due, calls from threads, system events. A callback is
///   never run from inside the call that caused it.
/// - Timers never fire early. Calls that a turn adds with no delay are made on the next one.
/// - An error that a call throws is logged; the loop goes on.
/// - There is no global reactor. Several may run in one process, each on its own thread; one may be run, stopped, and run again.
///
/// Twisted: `IReactorCore`, `IReactorTime`, `IReactorTCP`, `IReactorUNIX`, `IReactorUDP`, `IReactorMulticast`, `IReactorThreads`, `IReactorProcess`.
public protocol Reactor: AnyObject {
    /// The way in from other threads.
    var handle: ReactorHandle { get }

    /// The reactor's time, readable from any thread.
    var clock: ReactorClock { get }

    /// The machine's wall clock: the time since 1970 began in UTC, for what is shown to people or compared with other machines. It may jump, either
    /// way; whoever wants to know how much time has passed asks ``clock``. Virtual on a simulated reactor. Twisted has none; its `seconds` jumps.
    var wallTime: Duration { get }

    /// Where errors of callbacks and the reactor's own events go.
    var logger: Logger { get set }

    /// Whether the loop runs: from the startup event to the end of the shutdown event. Twisted: `running`.
    var isRunning: Bool { get }

    /// Who looks up the names of hosts to connect to; ``SystemResolver`` unless set.
    var resolver: any Resolver { get set }

    /// Every random number that Twill draws, the system's unless set: a generator with a seed of its own makes a run repeatable.
    var randomNumbers: any RandomNumberGenerator { get set }

    /// The threads that ``deferToThread(_:)`` uses.
    var threadPool: ThreadPool { get }

    /// What was counted since the reactor was made: connections, bytes, delays. Reading it takes no walk over the connections.
    var statistics: ReactorStatistics { get }

    /// Runs the loop on this thread until it is stopped.
    ///
    /// - Parameter installSignalHandlers: whether SIGINT and SIGTERM stop the reactor while it runs. What the process did with them before
    ///   is put back afterwards; a signal that the process ignores stays ignored.
    /// - Throws: ``ReactorError/alreadyRunning`` where it is running already; ``ReactorError/loopFailed(_:)`` where the system ends the loop.
    func run(installSignalHandlers: Bool) throws

    /// Stops the loop: ports close, connections are lost, `run` returns.
    ///
    /// Allowed at any time and any number of times. Before `run`, it makes the next `run` return after its startup and shutdown events.
    func stop()

    /// Leaves the loop at the end of the current turn, with no shutdown: connections and timers stay as they are, and `run` goes on with
    /// them. Twisted: `crash`.
    func crash()

    /// Makes a call after a delay; with no delay, on the next turn. A negative delay counts as none. Twisted: `IReactorTime.callLater`.
    @discardableResult
    func callLater(_ delay: Duration, _ call: @escaping () throws -> Void) -> DelayedCall

    /// The delayed calls that are not made yet, in no order. Twisted: `getDelayedCalls`.
    var delayedCalls: [DelayedCall] { get }

    /// Makes a call once the loop runs: at once if it does, else after startup. Twisted: `callWhenRunning`.
    func callWhenRunning(_ call: @escaping () throws -> Void)

    /// Hangs a call on an event, to be made when it fires. Twisted: `addSystemEventTrigger`.
    @discardableResult
    func addSystemEventTrigger(
        _ phase: SystemEventPhase, _ event: SystemEvent, call: @escaping () throws -> Void
    ) -> SystemEventTrigger

    /// Hangs a call on the phase `before` of an event, which then waits for the ``Deferred`` that the call returns.
    @discardableResult
    func addSystemEventTrigger(
        waitingBefore event: SystemEvent, call: @escaping () throws -> Deferred<Void>?
    ) -> SystemEventTrigger

    /// Takes back a call that was hung on an event; false where it was made or taken back already.
    @discardableResult
    func removeSystemEventTrigger(_ trigger: SystemEventTrigger) -> Bool

    /// Fires an event of your own.
    func fireSystemEvent(_ event: SystemEvent)

    /// Listens on a TCP port, and serves each connection with a protocol of the factory; see ``listenTCP(port:factory:interface:backlog:reusePort:connectionsMax:options:)``.
    @discardableResult
    func listenTCP(on binding: TCPBinding, factory: Factory) throws -> any ListeningPort

    /// Connects to a TCP port; see ``connectTCP(host:port:factory:timeout:bindAddress:options:)``.
    @discardableResult
    func connectTCP(to target: TCPTarget, factory: ClientFactory) throws -> Connector

    /// Listens on a UNIX socket, and serves each connection with a protocol of the factory; see
    /// ``listenUNIX(path:factory:mode:wantsLock:backlog:connectionsMax:options:)``.
    @discardableResult
    func listenUNIX(on binding: UNIXBinding, factory: Factory) throws -> any ListeningPort

    /// Connects to a UNIX socket; see ``connectUNIX(path:factory:timeout:options:)``.
    @discardableResult
    func connectUNIX(to target: UNIXTarget, factory: ClientFactory) throws -> Connector

    /// Listens on a socket that somebody else has opened, and serves each connection with a protocol of the factory.
    ///
    /// The descriptor belongs to the reactor from now on, which closes it with the port.
    ///
    /// - Throws: ``ListenError/notAListener`` where it is no listening stream socket; it stays yours then. What `startFactory` threw.
    ///
    /// Twisted: `IReactorSocket.adoptStreamPort`, which duplicates the descriptor.
    @discardableResult
    func adoptStreamPort(_ descriptor: CInt, factory: Factory) throws -> any ListeningPort

    /// Serves a connection that somebody else has made with a protocol of the factory, whose `connectionMade` is called now.
    ///
    /// The descriptor belongs to the reactor from now on; where the factory refuses, it is closed.
    ///
    /// - Throws: ``SystemError`` where it is no connected stream socket; it stays yours then. What `buildProtocol` threw.
    ///
    /// Twisted: `IReactorSocket.adoptStreamConnection`, which duplicates the descriptor.
    func adoptStreamConnection(_ descriptor: CInt, factory: Factory) throws

    /// Serves descriptors that are no sockets, the ends of two pipes for example, as one connection, with a protocol whose `connectionMade` is
    /// called now.
    ///
    /// The descriptors belong to the connection from now on. It makes them non-blocking; when it ends, it puts back what they were, because a
    /// terminal is shared with the shell, and closes them. Of 0, 1 and 2 the numbers stay taken: there `/dev/null` is put in the place, so that
    /// no other file gets the number. A pipe for output is closed as soon as this half has closed, so that its reader sees the end.
    ///
    /// It is a connection as any other, with every promise of ``Transport``. In addition:
    /// - A file, and a device that is no terminal, is read by a thread of its own, no faster than the protocol takes it, and written to directly:
    ///   writing waits for the disk.
    /// - There is no reset: who reads a pipe sees an end where this side aborts.
    /// - Somebody else who uses the same terminal or pipe meanwhile finds it non-blocking, and so may fail to write to it. Where this process ends
    ///   without the reactor having been stopped, it stays so.
    ///
    /// - Throws: ``SystemError`` where a descriptor is not open, or not for that direction, or is a folder, or serves a connection of this reactor
    ///   already (`EBUSY`); both are as they were then.
    ///
    /// Twisted: `StandardIO`, which leaves the descriptors non-blocking and closes 0 and 1.
    @discardableResult
    func adoptStreamConnection(over binding: PipeBinding, protocol handler: Protocol) throws -> Transport

    /// Opens a UDP port, and serves it with a protocol; see ``listenUDP(port:protocol:interface:maxPacketSize:reusePort:options:)``.
    @discardableResult
    func listenUDP(on binding: UDPBinding, protocol handler: DatagramProtocol) throws -> DatagramTransport

    /// Opens a UNIX datagram socket, and serves it with a protocol; see ``listenUNIXDatagram(path:protocol:mode:wantsLock:maxPacketSize:options:)``.
    @discardableResult
    func listenUNIXDatagram(on binding: UNIXDatagramBinding, protocol handler: DatagramProtocol) throws -> DatagramTransport

    /// Watches a descriptor of your own, and calls back on each turn on which it is ready.
    ///
    /// The descriptor stays yours: cancel the watch before you close it. Twisted: `addReader`, `addWriter`.
    ///
    /// - Throws: ``SystemError`` for a descriptor that can't be watched; a regular file is one.
    func watch(
        _ descriptor: CInt, for readiness: Readiness, _ call: @escaping (Readiness) throws -> Void
    ) throws -> any DescriptorWatch

    /// Starts a program as a child process, and serves it with a protocol whose `connectionMade` is called now.
    ///
    /// The child has the descriptors that its command says and no others, whatever this process has open. No signal is blocked in it, and
    /// each does what it does by default. No handler for SIGCHLD is needed or touched, and nobody else's children are waited for.
    ///
    /// - Throws: ``ProcessError``, with nothing left behind: the program was not started then, or its first step failed.
    ///
    /// Twisted: `IReactorProcess.spawnProcess`, where a program that is missing is a child that ends with status 1.
    @discardableResult
    func spawnProcess(_ command: ProcessCommand, protocol handler: ProcessProtocol) throws -> ProcessTransport

    /// Runs blocking work on the thread pool; its result comes back on the reactor's thread. Twisted: `deferToThread`.
    func deferToThread<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) -> Deferred<Value>
}

extension Reactor {
    /// This moment of the reactor's time. Twisted: `seconds`.
    public var now: ReactorClock.Instant { clock.now }

    /// Runs the loop on this thread until it is stopped; SIGINT and SIGTERM stop it.
    public func run() throws {
        try run(installSignalHandlers: true)
    }

    /// Listens on a TCP port, and serves each connection with a protocol of the factory.
    ///
    /// - Parameters:
    ///   - port: from 0 to 65535; 0 takes a free one, which ``ListeningPort/address`` tells.
    ///   - factory: makes a protocol for each connection.
    ///   - interface: the literal address to listen on; empty for all of them, IPv6 and IPv4 in one socket where the machine has both.
    ///   - backlog: how many connections may wait to be accepted; the system may have a lower limit of its own.
    ///   - reusePort: lets several reactors or processes listen on the same port, the system spreading the connections (SO_REUSEPORT).
    ///   - connectionsMax: how many connections may be open at once; others wait until one has ended. nil leaves it to the reactor's limit.
    ///   - options: what each accepted connection gets.
    /// - Throws: ``ListenError``; what `startFactory` threw.
    ///
    /// Twisted: `IReactorTCP.listenTCP`.
    @discardableResult
    public func listenTCP(
        port: Int, factory: Factory, interface: String = "", backlog: Int = 4096, reusePort: Bool = false, connectionsMax: Int? = nil,
        options: TransportOptions = TransportOptions()
    ) throws -> any ListeningPort {
        try listenTCP(
            on: TCPBinding(
                port: port, interface: interface, backlog: backlog, reusePort: reusePort, connectionsMax: connectionsMax, options: options),
            factory: factory)
    }

    /// Opens a UDP port, and serves it with a protocol: for servers, and for clients, which take port 0.
    ///
    /// - Parameters:
    ///   - port: from 0 to 65535; 0 takes a free one, which ``DatagramTransport/host`` tells.
    ///   - handler: hears what arrives; one that no other port uses.
    ///   - interface: the literal address to listen on; empty for all of them, IPv6 and IPv4 in one socket where the machine has both.
    ///   - maxPacketSize: the longest datagram that is delivered, in bytes; longer ones go to `datagramTruncated`.
    ///   - reusePort: lets other sockets have the same port, too: see ``UDPBinding/reusePort``.
    ///   - options: what the port asks of the system and of Twill.
    /// - Throws: ``ListenError``; ``DatagramError/protocolInUse``; what `startProtocol` threw.
    ///
    /// Twisted: `IReactorUDP.listenUDP`, `IReactorMulticast.listenMulticast`; any port can join groups here.
    @discardableResult
    public func listenUDP(
        port: Int, protocol handler: DatagramProtocol, interface: String = "", maxPacketSize: Int = 8192, reusePort: Bool = false,
        options: DatagramOptions = DatagramOptions()
    ) throws -> DatagramTransport {
        try listenUDP(
            on: UDPBinding(port: port, interface: interface, maxPacketSize: maxPacketSize, reusePort: reusePort, options: options),
            protocol: handler)
    }

    /// Opens a UNIX datagram socket, and serves it with a protocol: datagrams that stay on this machine, and arrive whole, once and in order.
    ///
    /// What ``DatagramTransport`` says of UDP holds here, too, but for this: whoever sends faster than the receiver reads finds the receiver's queue
    /// full, and what is written meanwhile is dropped. The sender of a datagram is an ``Address/unix(_:)``, whose path is empty where it has none;
    /// such a one can't be answered.
    ///
    /// - Parameters:
    ///   - path: the socket's path, or a name that begins with `@`.
    ///   - handler: hears what arrives; one that no other port uses.
    ///   - mode: who may send to it, as the permission bits of the socket's file.
    ///   - wantsLock: whether a lock file keeps a second server away.
    ///   - maxPacketSize: the longest datagram that is delivered, in bytes; longer ones go to `datagramTruncated`.
    ///   - options: what the socket asks of the system and of Twill.
    /// - Throws: ``ListenError``; ``DatagramError/protocolInUse``; what `startProtocol` threw.
    ///
    /// Twisted: `IReactorUNIXDatagram.listenUNIXDatagram`.
    @discardableResult
    public func listenUNIXDatagram(
        path: String, protocol handler: DatagramProtocol, mode: UInt16 = 0o600, wantsLock: Bool = true, maxPacketSize: Int = 8192,
        options: DatagramOptions = DatagramOptions()
    ) throws -> DatagramTransport {
        try listenUNIXDatagram(
            on: UNIXDatagramBinding(path: path, mode: mode, wantsLock: wantsLock, maxPacketSize: maxPacketSize, options: options),
            protocol: handler)
    }

    /// Opens a UNIX datagram socket that sends to one other and hears from it alone.
    ///
    /// - Parameters:
    ///   - path: the other one's path, or a name that begins with `@`.
    ///   - handler: hears what arrives; one that no other port uses.
    ///   - bindPath: the socket's own path, without which the other one can't answer.
    ///   - maxPacketSize: the longest datagram that is delivered, in bytes; longer ones go to `datagramTruncated`.
    ///   - options: what the socket asks of the system and of Twill.
    /// - Throws: ``DatagramError/failed`` where nobody is at the path; ``ListenError`` for its own; ``DatagramError/protocolInUse``; what
    ///   `startProtocol` threw.
    ///
    /// Twisted: `IReactorUNIXDatagram.connectUNIXDatagram`.
    @discardableResult
    public func connectUNIXDatagram(
        path: String, protocol handler: DatagramProtocol, bindPath: String? = nil, maxPacketSize: Int = 8192,
        options: DatagramOptions = DatagramOptions()
    ) throws -> DatagramTransport {
        try listenUNIXDatagram(
            on: UNIXDatagramBinding(path: bindPath, peer: path, maxPacketSize: maxPacketSize, options: options), protocol: handler)
    }

    /// Connects to a TCP port. What happens is told to the factory, and never from inside this call.
    ///
    /// - Parameters:
    ///   - host: a literal address, or a name, which the reactor's ``resolver`` looks up. Its addresses are raced as RFC 8305 says: the two IP
    ///     families take turns, each with a head start of 250 ms over the next, and the first that answers wins.
    ///   - port: from 1 to 65535. Another number fails the attempt.
    ///   - factory: makes the protocol, and hears how connecting went.
    ///   - timeout: how long the attempt may take in all, the look-up included.
    ///   - bindAddress: the local address to connect from; nil leaves it to the system.
    ///   - options: what the connection gets.
    /// - Throws: what `startFactory` threw.
    ///
    /// Twisted: `IReactorTCP.connectTCP`.
    @discardableResult
    public func connectTCP(
        host: String, port: Int, factory: ClientFactory, timeout: Duration = .seconds(30), bindAddress: Address? = nil,
        options: TransportOptions = TransportOptions()
    ) throws -> Connector {
        try connectTCP(
            to: TCPTarget(host: host, port: port, timeout: timeout, bindAddress: bindAddress, options: options), factory: factory)
    }
}

extension Reactor {
    /// Listens on a UNIX socket, and serves each connection with a protocol of the factory.
    ///
    /// A socket that a server has left behind is removed, after finding out that nobody listens there; a file of another kind, or a link, is
    /// never touched. When the port closes, its file goes with it, unless another server has put its own there.
    ///
    /// - Parameters:
    ///   - path: the socket's path, of at most 107 bytes; or a name that begins with `@`, which is no file (Linux only).
    ///   - factory: makes a protocol for each connection.
    ///   - mode: the permission bits of the file, which say who may connect; only its owner by default.
    ///   - wantsLock: whether a lock file beside the socket keeps a second server away.
    ///   - backlog: how many connections may wait to be accepted.
    ///   - connectionsMax: how many connections may be open at once; others wait until one has ended.
    ///   - options: what each accepted connection gets; what belongs to TCP in it is passed over.
    /// - Throws: ``ListenError``; what `startFactory` threw.
    ///
    /// Twisted: `IReactorUNIX.listenUNIX`, whose sockets are open to everybody by default.
    @discardableResult
    public func listenUNIX(
        path: String, factory: Factory, mode: UInt16 = 0o600, wantsLock: Bool = true, backlog: Int = 4096, connectionsMax: Int? = nil,
        options: TransportOptions = TransportOptions()
    ) throws -> any ListeningPort {
        try listenUNIX(
            on: UNIXBinding(
                path: path, mode: mode, wantsLock: wantsLock, backlog: backlog, connectionsMax: connectionsMax, options: options),
            factory: factory)
    }

    /// Connects to a UNIX socket. What happens is told to the factory, and never from inside this call.
    ///
    /// - Parameters:
    ///   - path: the socket's path, or a name that begins with `@`.
    ///   - factory: makes the protocol, and hears how connecting went.
    ///   - timeout: how long the attempt may take.
    ///   - options: what the connection gets.
    /// - Throws: what `startFactory` threw.
    ///
    /// Twisted: `IReactorUNIX.connectUNIX`.
    @discardableResult
    public func connectUNIX(
        path: String, factory: ClientFactory, timeout: Duration = .seconds(30), options: TransportOptions = TransportOptions()
    ) throws -> Connector {
        try connectUNIX(to: UNIXTarget(path: path, timeout: timeout, options: options), factory: factory)
    }
}

/// An open port that accepts connections. Twisted: `IListeningPort`.
public protocol ListeningPort: AnyObject {
    /// The address it listens on, with the port that was taken where 0 was asked for. Twisted: `getHost`.
    var address: Address { get }

    /// Whether it still listens.
    var isListening: Bool { get }

    /// What was counted of its connections.
    var statistics: ConnectionStatistics { get }

    /// How many of its connections may be open at once; others wait until one has ended. nil leaves it to the reactor's limit; numbers below 1
    /// count as 1. It may be changed while it listens: a higher limit lets those in who wait, a lower one lets nobody in until enough have ended.
    var connectionsMax: Int? { get set }

    /// Whether ``pauseAccepting()`` holds it.
    var isPaused: Bool { get }

    /// Accepts nobody until ``resumeAccepting()``. Those who come wait, as many as the backlog has room for. Connections go on.
    func pauseAccepting()

    /// Accepts again. Does nothing where it was not paused.
    func resumeAccepting()

    /// Closes the port: from now on connections are refused. Those already accepted go on. The factory's `stopFactory` follows on a later
    /// turn. Closing twice does nothing.
    func stopListening()
}

/// What a descriptor is ready for.
public struct Readiness: OptionSet, Sendable {
    public let rawValue: UInt8

    public init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    /// Reading would not block: there is input, the end, or an error.
    public static let readable = Readiness(rawValue: 1)
    /// Writing would not block.
    public static let writable = Readiness(rawValue: 2)
}

/// A descriptor that is being watched; dropping it ends the watch too.
public protocol DescriptorWatch: AnyObject {
    /// Ends the watch; the call is not made again. Call it before closing the descriptor.
    func cancel()
}

/// What a reactor refuses or fails to do.
public enum ReactorError: Error, CustomStringConvertible, Sendable {
    /// `run` was called while the reactor is running. Twisted: `ReactorAlreadyRunning`.
    case alreadyRunning
    /// libevent gave no event base: the system is out of memory or descriptors.
    case noEventBase(SystemError)
    /// The system refused to wait for events.
    case loopFailed(SystemError)
    /// The reactor went before it had run what was to run on it.
    case gone
    /// The reactor is one that has no such thing.
    case unsupported(String)

    public var description: String {
        switch self {
        case .alreadyRunning: "the reactor is running already: run it once, or make another reactor for another thread"
        case .noEventBase(let error): "no event loop could be made: \(error)"
        case .loopFailed(let error): "the event loop failed: \(error)"
        case .gone: "the reactor is gone: keep it, and run it, for as long as it has something to do"
        case .unsupported(let thing): "this reactor has no \(thing): use a LibeventReactor"
        }
    }
}
