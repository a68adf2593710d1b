import Logging

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A child process on the reactor: its pipes, each a connection of one direction, and its end.
///
/// The reactor's table keeps it until its protocol has been told of the end.
final class SpawnedProcess: ProcessTransport {
    /// How long a process that was told to end, because its protocol failed, may take.
    private static let grace = Duration.seconds(5)

    private let loop: LibeventReactor
    private let name: String
    private let number: CInt
    private var handler: ProcessProtocol?
    private var exit: ChildExit?
    private var pipes: [CInt: Transport] = [:]
    private var end: ProcessEnd?
    private var failure: (any Error)?

    init(_ number: CInt, of command: ProcessCommand, loop: LibeventReactor, handler: ProcessProtocol) {
        self.loop = loop
        self.number = number
        self.handler = handler
        name = command.executable
        super.init()
    }

    /// Begins to wait for the process's end.
    func watchExit() throws(SystemError) {
        exit = try ChildExit(of: number, loop: loop) { [weak self] in self?.mayHaveEnded() }
    }

    /// Takes a pipe's end into care.
    func add(_ ends: PipeEnds, as descriptor: CInt, _ settings: SocketTransport.Settings) throws(SystemError) {
        pipes[descriptor] = try loop.serve(
            ends, named: "descriptor \(descriptor) of \(name) (\(number))", settings, ChildPipe(of: self, descriptor))
    }

    /// Tells the protocol that the process was started.
    func begin() {
        call("connectionMade") { try $0.makeConnection(self) }
    }

    override var reactor: any Reactor { loop }

    override var pid: Int32? { end == nil ? number : nil }

    override func pipe(_ descriptor: CInt) -> Transport? { pipes[descriptor] }

    override var openPipes: [CInt] { pipes.keys.sorted() }

    override func signalProcess(_ signal: ProcessSignal) throws(ProcessError) {
        guard end == nil, let exit else { throw ProcessError.ended.of(name) }
        switch exit.send(signal) {
        case 0: return
        case ESRCH: throw ProcessError.ended.of(name)
        case let number: throw ProcessError.signalRefused.of(name, because: SystemError(call: "kill", errno: number))
        }
    }

    fileprivate var logPrefix: String { handler?.logPrefix ?? name }

    fileprivate func received(_ data: Span<UInt8>, on descriptor: CInt) {
        guard let handler, failure == nil else { return }
        do {
            try handler.childDataReceived(descriptor, data)
        } catch {
            callbackThrew(error, in: "childDataReceived")
        }
    }

    fileprivate func pipeLost(_ descriptor: CInt, _ reason: ConnectionLost) {
        pipes[descriptor] = nil
        call("childConnectionLost") { try $0.childConnectionLost(descriptor, reason) }
        finishIfDone()
    }

    private func mayHaveEnded() {
        guard end == nil, let ended = exit?.reap() else { return }
        end = ended
        exit = nil
        cancelKilling()
        call("processExited") { try $0.processExited(told) }
        finishIfDone()
    }

    /// How it ended, with what a callback has thrown.
    private var told: ProcessEnd { ProcessEnd(end?.status ?? .unknown, because: failure) }

    private func finishIfDone() {
        guard end != nil, pipes.isEmpty, let ended = handler else { return }
        handler = nil
        do {
            try ended.endConnection(told)
        } catch {
            log(error, in: "processEnded", of: ended)
        }
        _ = loop.processes.removeValue(forKey: number)
    }

    /// The reactor has closed the pipes, and leaves the process as it is.
    func reactorStops() {
        mayHaveEnded()
        guard end == nil else { return }
        cancelKilling()
        exit?.leave()
        exit = nil
        end = ProcessEnd(.leftRunning)
        finishIfDone()
    }

    /// Lets go of a process that can't be served; it has been killed, and its protocol was told nothing.
    func abandon() {
        handler = nil
        for pipe in pipes.values { pipe.abortConnection() }
        if let exit { exit.leave() } else { ChildExit.reapLater(number) }
        exit = nil
        end = ProcessEnd(.unknown)
    }

    /// Calls the protocol, and ends the process where that throws.
    private func call(_ callback: String, _ body: (ProcessProtocol) throws -> Void) {
        guard let handler else { return }
        do {
            try body(handler)
        } catch {
            callbackThrew(error, in: callback)
        }
    }

    private func callbackThrew(_ error: any Error, in callback: String) {
        if let handler { log(error, in: callback, of: handler) }
        if failure == nil { failure = error }
        loseConnection()
        terminate(killingAfter: Self.grace)
    }

    private func log(_ error: any Error, in callback: String, of handler: ProcessProtocol) {
        loop.logger.error("\(handler.logPrefix).\(callback) threw: \(error)", metadata: ["process": "\(name) (\(number))"])
    }
}

/// One pipe of a child's: it hands on what comes to the process.
private final class ChildPipe: Protocol, HalfCloseableProtocol {
    private let process: SpawnedProcess
    private let descriptor: CInt

    init(of process: SpawnedProcess, _ descriptor: CInt) {
        self.process = process
        self.descriptor = descriptor
        super.init()
    }

    override var logPrefix: String { process.logPrefix }

    override func dataReceived(_ data: Span<UInt8>) { process.received(data, on: descriptor) }

    func readConnectionLost() {}

    func writeConnectionLost() {}

    override func connectionLost(_ reason: ConnectionLost) { process.pipeLost(descriptor, reason) }
}
