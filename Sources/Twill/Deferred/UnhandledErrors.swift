package import Logging

/// Where errors go that nobody has asked for.
package enum UnhandledErrors {
    /// Logs them instead of the logger `twill.deferred`, for tests.
    @TaskLocal package static var logger: Logger?

    /// Logs an error of a Deferred; but not that it was cancelled, which somebody has asked for.
    static func log(_ error: any Error, of deferred: AnyDeferred) {
        guard error as? DeferredError != .cancelled else { return }
        let logger = logger ?? Logger(label: "twill.deferred")
        logger.error("Unhandled error in Deferred made at \(deferred.fileID):\(deferred.line): \(error)")
    }
}
