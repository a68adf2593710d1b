/// Finds the addresses of a host's name. A reactor has one, ``SystemResolver`` unless you give it another: ``Reactor/resolver``.
///
/// Twisted: `IHostnameResolver`.
public protocol Resolver: AnyObject {
    /// Begins to look a name up, and calls `completion` once, on the reactor's thread and on a later turn, unless the look-up is cancelled.
    ///
    /// The addresses come in the order in which they should be tried; their ports mean nothing.
    ///
    /// - Returns: a call that cancels the look-up; it may be made at any time.
    func resolve(
        _ name: String, on reactor: any Reactor, completion: @escaping (Result<[Address], ResolveError>) -> Void
    ) -> () -> Void
}

/// A host name that could not be looked up. Twisted: `DNSLookupError`.
public struct ResolveError: Error, CustomStringConvertible, Sendable {
    /// The name that was looked up.
    public let name: String
    /// The resolver's own words.
    public let message: String

    /// Makes an error.
    public init(name: String, message: String) {
        self.name = name
        self.message = message
    }

    public var description: String { "looking up \(name): \(message)" }
}
