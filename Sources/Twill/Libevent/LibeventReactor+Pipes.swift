#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Connections over descriptors that are no sockets.
extension LibeventReactor {
    @discardableResult
    public func adoptStreamConnection(over binding: PipeBinding, protocol handler: Protocol) throws -> Transport {
        for descriptor in [binding.input, binding.output].compactMap(\.self) where isInUse(descriptor) {
            throw SystemError(call: "open", errno: EBUSY)
        }
        let ends = try PipeEnds(input: binding.input, output: binding.output, drains: binding.drainsInput)
        outgoing.count { $0.connected += 1 }
        return try serve(ends, named: binding.name, SocketTransport.Settings(binding.options, counters: outgoing), handler)
    }

    /// Whether a connection of this reactor reads from a descriptor or writes to it.
    private func isInUse(_ descriptor: CInt) -> Bool {
        transports.contains { $0?.uses(descriptor) == true }
    }

    /// Serves descriptors that were just taken over, and closes them where that fails.
    func serve(
        _ ends: PipeEnds, named name: String, _ settings: SocketTransport.Settings, _ handler: Protocol
    ) throws(SystemError) -> Transport {
        let transport = SocketTransport(loop: self, pipes: ends, peer: .pipe(name), settings: settings)
        do throws(SystemError) {
            try serve(transport, handler)
        } catch {
            transport.endReading()
            ends.close()
            throw error
        }
        return transport
    }
}

extension SocketTransport {
    fileprivate func uses(_ descriptor: CInt) -> Bool {
        socket.descriptor == descriptor || pipes?.writes(to: descriptor) == true
    }
}
