public import Twill

/// What belongs to the system, of which a simulation has none: each throws ``/Twill/ReactorError/unsupported(_:)``.
extension SimulatedReactor {
    @discardableResult
    public func adoptStreamPort(_ descriptor: CInt, factory: Factory) throws -> any ListeningPort {
        throw ReactorError.unsupported("descriptors")
    }

    public func adoptStreamConnection(_ descriptor: CInt, factory: Factory) throws {
        throw ReactorError.unsupported("descriptors")
    }

    public func watch(
        _ descriptor: CInt, for readiness: Readiness, _ call: @escaping (Readiness) throws -> Void
    ) throws -> any DescriptorWatch {
        throw ReactorError.unsupported("descriptors")
    }
}
