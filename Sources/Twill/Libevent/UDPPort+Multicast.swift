/// The settings for multicast: checks what was asked, and turns what the system answers into an error that says what to do.
extension UDPPort {
    func checkedGroup(_ text: String) throws(DatagramError) -> Address {
        guard let group = Address(host: text, port: 0) else { throw .invalidGroup(text) }
        switch group {
        case .ipv4(let address):
            guard address.bits >> 28 == 0xE else { throw .invalidGroup(text) }
            guard socket.family != .ipv6 else { throw .wrongFamilyOfGroup(text, on: host) }
        case .ipv6(let address):
            guard address.high >> 56 == 0xFF else { throw .invalidGroup(text) }
            guard isIPv6 else { throw .wrongFamilyOfGroup(text, on: host) }
        case .unix, .pipe, .unknown:
            throw .invalidGroup(text)
        }
        return group
    }

    func checkedInterface(_ text: String) throws(DatagramError) -> NetworkInterface {
        guard let interface = NetworkInterface(text) else { throw .invalidInterface(text) }
        return interface
    }

    /// Makes a call on the socket, where it is open. What was written before still goes by the old settings.
    func set(_ what: @autoclosure () -> String, _ body: (UDPSocket) throws(SystemError) -> Void) throws(DatagramError) {
        guard isOpen else { return }
        loop.udpStage.flush(self)
        do throws(SystemError) {
            try body(socket)
        } catch {
            throw .failed(what(), because: error)
        }
    }
}
