package import Logging

extension Logger {
    /// Logs what a protocol's callback has thrown.
    ///
    /// What the peer did wrong, a ``Rejection``, is told in the reason of the loss; a log of it would be the peer's to fill, and is for those who ask for
    /// the level `debug`.
    package func log(_ error: any Error, thrownIn callback: String, of handler: Protocol?, _ peer: Address) {
        let name = handler?.logPrefix ?? "the protocol"
        log(level: error is Rejection ? .debug : .error, "\(name).\(callback) threw: \(error)", metadata: ["peer": "\(peer)"])
    }
}
