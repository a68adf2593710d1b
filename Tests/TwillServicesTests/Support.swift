import Logging
import Synchronization
import Twill
import TwillServices
import TwillTesting

/// Notes what happens, in order, on any thread.
final class Diary: Sendable {
    private let lines = Mutex<[String]>([])

    var entries: [String] { lines.withLock { $0 } }

    func note(_ line: String) { lines.withLock { $0.append(line) } }

    /// What was noted since this was asked last.
    func take() -> [String] {
        lines.withLock { lines in
            defer { lines = [] }
            return lines
        }
    }
}

/// Keeps what is logged.
struct DiaryHandler: LogHandler {
    let diary: Diary
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.trace

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        if event.level >= .info { diary.note("\(event.level): \(event.message)") }
    }
}

extension Logger {
    /// One that writes to a diary.
    init(_ diary: Diary) {
        self.init(label: "test") { _ in DiaryHandler(diary: diary) }
    }
}

struct Refusal: Error, Equatable, CustomStringConvertible {
    var description: String { "refused" }
}

/// A service that notes what it is told, and does as it is told in return.
final class NotingService: Service {
    let diary: Diary
    var bindError: (any Error)?
    var startError: (any Error)?
    var stopError: (any Error)?
    var reloadError: (any Error)?
    /// What `stopService` and `drainService` return.
    var stopping: Deferred<Void>?
    var draining: Deferred<Void>?

    init(_ name: String, _ diary: Diary) {
        self.diary = diary
        super.init(name: name)
    }

    override func privilegedStartService() throws {
        diary.note("\(logPrefix) binds")
        if let bindError { throw bindError }
    }

    override func startService() throws {
        diary.note("\(logPrefix) starts")
        if let startError { throw startError }
    }

    override func reloadService() throws {
        diary.note("\(logPrefix) reloads")
        if let reloadError { throw reloadError }
    }

    override func drainService(deadline: ReactorClock.Instant) throws -> Deferred<Void>? {
        diary.note("\(logPrefix) drains")
        return draining
    }

    override func stopService() throws -> Deferred<Void>? {
        diary.note("\(logPrefix) stops")
        if let stopError { throw stopError }
        return stopping
    }
}

extension Deferred {
    /// What it has fired with so far, as a text.
    func noting(_ name: String, in diary: Diary) {
        addBoth { (result: Result<Value, any Error>) -> Void in
            switch result {
            case .success: diary.note("\(name) done")
            case .failure(let error): diary.note("\(name) failed: \(error)")
            }
        }
    }
}
