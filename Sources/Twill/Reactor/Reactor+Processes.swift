extension Reactor {
    /// Serves this process's standard input and output as one connection; see ``adoptStreamConnection(over:protocol:)``.
    ///
    /// ```swift
    /// try reactor.serveStandardIO(with: Shout())
    /// try reactor.run()
    /// ```
    ///
    /// At the end of the input, a ``HalfCloseableProtocol`` hears `readConnectionLost` and may go on writing; any other protocol's connection ends
    /// once what it wrote has been taken. It may be called once in the life of a process. Logs belong on standard error.
    ///
    /// - Throws: ``ListenError/alreadyServed`` for the second time, by any reactor; ``SystemError`` where the process was started without
    ///   them.
    ///
    /// Twisted: `stdio.StandardIO`.
    @discardableResult
    public func serveStandardIO(with handler: Protocol, options: TransportOptions = TransportOptions()) throws -> Transport {
        var binding = PipeBinding.standardIO
        binding.options = options
        return try StandardIO.serve(binding, with: handler, on: self)
    }

    /// Refuses: this reactor has no processes.
    public func spawnProcess(_ command: ProcessCommand, protocol handler: ProcessProtocol) throws -> ProcessTransport {
        throw ProcessError.unsupported.of(command.executable)
    }

    /// Refuses: this reactor has no descriptors.
    public func adoptStreamConnection(over binding: PipeBinding, protocol handler: Protocol) throws -> Transport {
        throw ReactorError.unsupported("connections over descriptors")
    }
}
