public import Twill

/// What a simulated reactor has no network for.
extension SimulatedReactor {
    @discardableResult
    public func listenTCP(on binding: TCPBinding, factory: Factory) throws -> any ListeningPort {
        throw ReactorError.unsupported("network")
    }

    @discardableResult
    public func connectTCP(to target: TCPTarget, factory: ClientFactory) throws -> Connector { throw ReactorError.unsupported("network") }

    @discardableResult
    public func listenUNIX(on binding: UNIXBinding, factory: Factory) throws -> any ListeningPort {
        throw ReactorError.unsupported("network")
    }

    @discardableResult
    public func connectUNIX(to target: UNIXTarget, factory: ClientFactory) throws -> Connector { throw ReactorError.unsupported("network") }
}
