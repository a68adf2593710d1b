/// What a program said, and how it ended.
public struct ProcessOutput: Sendable {
    /// What it wrote to its standard output.
    public let output: [UInt8]
    /// What it wrote to its standard error.
    public let errors: [UInt8]
    /// How it ended.
    public let end: ProcessEnd

    /// The output as text; what is no UTF-8 in it is repaired.
    public var text: String { String(decoding: output, as: UTF8.self) }
}

extension Reactor {
    /// Runs a program to its end, and collects what it says.
    ///
    /// ```swift
    /// reactor.processOutput(of: ProcessCommand("uname", arguments: ["-r"])).addCallback { print($0.text) }
    /// ```
    ///
    /// - Parameters:
    ///   - command: the program; its descriptors are set by this call.
    ///   - input: what it finds on its standard input, which ends then.
    ///   - outputBytesMax: how much it may say in all, on both outputs; 16 MiB unless set. One that says more is killed.
    ///   - timeout: how long it may take; one that takes longer is killed. Nil waits as long as it takes.
    /// - Returns: the output, whatever the exit status. Fails with a ``ProcessError``: ``ProcessError/tooMuchOutput``,
    ///   ``ProcessError/timedOut``, or why it could not be started; with its ``ProcessEnd`` where the reactor was stopped before it ended.
    ///
    /// Twisted: `utils.getProcessOutputAndValue`, without limits.
    public func processOutput(
        of command: ProcessCommand, input: [UInt8] = [], outputBytesMax: Int = 16 << 20, timeout: Duration? = nil
    ) -> Deferred<ProcessOutput> {
        let collector = OutputCollector(command.executable, input, outputBytesMax, timeout)
        var command = command
        command.descriptors = ProcessCommand.standardDescriptors
        // All of the input is there already: no limit could keep it out of memory.
        command.options.waterMarks.limit = max(command.options.waterMarks.limit, input.count)
        let outcome = collector.outcome
        do {
            try spawnProcess(command, protocol: collector)
        } catch {
            callLater(.zero) { try outcome.fail(error) }
        }
        return outcome
    }
}

/// Collects what one process says.
private final class OutputCollector: ProcessProtocol {
    let outcome = Deferred<ProcessOutput>()
    private let executable: String
    private var input: [UInt8]
    private let bytesMax: Int
    private let timeout: Duration?
    private var timer: DelayedCall?
    private var output: [UInt8] = []
    private var errors: [UInt8] = []
    private var failure: ProcessError?

    init(_ executable: String, _ input: [UInt8], _ bytesMax: Int, _ timeout: Duration?) {
        self.executable = executable
        self.input = input
        self.bytesMax = bytesMax
        self.timeout = timeout
    }

    override func connectionMade() {
        transport.write(input)
        input = []
        transport.closeStdin()
        guard let timeout else { return }
        timer = transport.reactor.callLater(timeout) { [weak self] in
            self?.kill(.timedOut, "\(timeout)")
        }
    }

    override func childDataReceived(_ descriptor: CInt, _ data: Span<UInt8>) {
        guard failure == nil else { return }
        guard output.count + errors.count + data.count <= bytesMax else { return kill(.tooMuchOutput, "\(bytesMax) bytes") }
        if descriptor == 1 { output.append(copying: data) } else { errors.append(copying: data) }
    }

    private func kill(_ error: ProcessError, _ limit: String) {
        failure = error.of(executable, limit)
        try? transport.signalProcess(.kill)
        // What it has started may hold its pipes for longer.
        for descriptor in transport.openPipes { transport.pipe(descriptor)?.abortConnection() }
    }

    override func processEnded(_ end: ProcessEnd) throws {
        timer?.cancelIfActive()
        if let failure { return try outcome.fail(failure) }
        if end.status == .leftRunning { return try outcome.fail(end) }
        try outcome.succeed(ProcessOutput(output: output, errors: errors, end: end))
    }
}
