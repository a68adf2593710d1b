#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Child processes.
extension LibeventReactor {
    @discardableResult
    public func spawnProcess(_ command: ProcessCommand, protocol handler: ProcessProtocol) throws -> ProcessTransport {
        guard !hasClosedEverything else { throw ProcessError.stopping.of(command.executable) }
        guard !handler.isInUse else { throw ProcessError.protocolInUse.of(command.executable) }
        let (number, ends) = try spawn(command)
        let process = SpawnedProcess(number, of: command, loop: self, handler: handler)
        processes[number] = process
        do throws(SystemError) {
            try process.watchExit()
            let settings = SocketTransport.Settings(command.options, counters: pipeCounters)
            for (descriptor, pipe) in ends.sorted(by: { $0.key < $1.key }) { try process.add(pipe, as: descriptor, settings) }
        } catch {
            // No memory, or no thread: there is no way to serve a process that is there already.
            processes[number] = nil
            _ = kill(number, SIGKILL)
            process.abandon()
            for (descriptor, pipe) in ends where process.pipe(descriptor) == nil { pipe.close() }
            throw ProcessError.limitReached.of(command.executable, because: error)
        }
        process.begin()
        return process
    }

    /// Starts the program; its number, and this process's ends of the pipes.
    private func spawn(_ command: ProcessCommand) throws(ProcessError) -> (CInt, [CInt: PipeEnds]) {
        var spawn = ChildSpawn(command)
        var own: [CInt: CInt] = [:]
        do throws(ProcessError) {
            for (descriptor, kind) in command.descriptors {
                guard (0...ProcessCommand.descriptorMax).contains(descriptor) else {
                    throw ProcessError.badDescriptor.of(
                        command.executable, "the child's descriptor \(descriptor) is none from 0 to \(ProcessCommand.descriptorMax)")
                }
                switch kind {
                case .parentWrites: own[descriptor] = try spawn.makePipe(to: descriptor, childReads: true)
                case .parentReads: own[descriptor] = try spawn.makePipe(to: descriptor, childReads: false)
                case .inherited(let inherited): try spawn.give(inherited, as: descriptor)
                }
            }
            var ends: [CInt: PipeEnds] = [:]
            for (descriptor, pipe) in own {
                let reads = command.descriptors[descriptor] == .parentReads
                do throws(SystemError) {
                    ends[descriptor] = try PipeEnds(input: reads ? pipe : nil, output: reads ? nil : pipe)
                } catch {
                    throw ProcessError.spawning(error).of(command.executable, because: error)
                }
            }
            return (try spawn.start(), ends)
        } catch {
            for pipe in own.values { systemClose(pipe) }
            throw error
        }
    }
}
