/// A call that does not fit the tree of services.
public enum ServiceError: Error, Hashable, CustomStringConvertible, Sendable {
    /// There is a service of this name already.
    case nameTaken(String)
    /// The service has a parent.
    case hasParent(String)
    /// The service is the one that it was to be added to, or has that one below it.
    case aboveItself(String)

    public var description: String {
        switch self {
        case .nameTaken(let name): "there is a service called \(name) here already: give each a name of its own, or none"
        case .hasParent(let name): "\(name) has a parent already: remove it there first"
        case .aboveItself(let name): "\(name) can't be added to itself, nor to what is below it"
        }
    }
}

/// Services that could not be stopped in good order, all of them that there were. The others were stopped.
public struct StopFailures: Error, CustomStringConvertible {
    /// What went wrong with one service.
    public struct Failure: CustomStringConvertible, Sendable {
        /// What the service is called in log lines.
        public let service: String
        /// What it failed with.
        public let error: any Error

        public var description: String { "\(service): \(error)" }
    }

    /// In the order in which they were stopped.
    public let failures: [Failure]

    public var description: String {
        "could not stop in good order: \(failures.map(\.description).joined(separator: "; "))"
    }
}
