import Logging

/// Where the logs of the tool and of the library go: standard error, from a level on.
enum Logs {
    /// Sends the logs of this process there, and returns the logger to use. Called once in a process.
    static func start(level: Logger.Level) -> Logger {
        LoggingSystem.bootstrap { label in
            var handler = StreamLogHandler.standardError(label: label)
            handler.logLevel = level
            return handler
        }
        return Logger(label: "twill")
    }
}
