import CLibevent
import Logging

/// libevent's loop (`event_base`): it waits, and calls back the events that are ready.
///
/// Made to ignore the environment, to cache no time (a cached one makes timers late by what callbacks took) and to take no locks (only
/// its own thread touches it).
@safe
final class EventBase {
    let pointer: OpaquePointer
    /// How it waits, in libevent's words: `epoll` (`event_base_get_method`).
    let method: String
    /// The highest descriptor that it can watch. `select` has room for 1024 (FD_SETSIZE), and glibc ends the process for trying more.
    let descriptorMax: CInt

    /// Sends libevent's own messages to the log instead of standard error. It has one such function for the whole process.
    private static let logsMessages: Void = unsafe event_set_log_callback { severity, message in
        let text = unsafe message.map { unsafe String(cString: $0) } ?? ""
        let level: Logger.Level =
            switch severity {
            case EVENT_LOG_DEBUG: .debug
            case EVENT_LOG_MSG: .info
            case EVENT_LOG_WARN: .warning
            default: .error
            }
        Logger(label: "twill.libevent").log(level: level, "\(text)")
    }

    init(_ backend: LibeventReactor.Backend) throws {
        _ = Self.logsMessages
        try Self.checkForDescriptors()
        guard let configuration = unsafe event_config_new() else {
            throw ReactorError.noEventBase(SystemError(call: "event_config_new"))
        }
        defer { unsafe event_config_free(configuration) }
        let flags = EVENT_BASE_FLAG_IGNORE_ENV.rawValue | EVENT_BASE_FLAG_NO_CACHE_TIME.rawValue | EVENT_BASE_FLAG_NOLOCK.rawValue
        unsafe event_config_set_flag(configuration, CInt(flags))
        for method in backend.preferredMethods {
            // A failure to note the name means that memory is out, and then the base can't be made either.
            unsafe event_config_avoid_method(configuration, method)
        }
        guard let base = unsafe event_base_new_with_config(configuration) else {
            throw ReactorError.noEventBase(SystemError(call: "event_base_new_with_config"))
        }
        unsafe pointer = base
        method = unsafe String(cString: event_base_get_method(base))
        descriptorMax = method == "select" ? 1023 : .max
    }

    /// Throws where there are no descriptors for a base: libevent ends the process for that.
    ///
    /// It takes up to five, and these are six.
    private static func checkForDescriptors() throws(ReactorError) {
        var pipes: [DescriptorPipe] = []
        defer { for pipe in pipes { pipe.close() } }
        do throws(SystemError) {
            for _ in 0..<3 { pipes.append(try DescriptorPipe()) }
        } catch {
            throw .noEventBase(error)
        }
    }

    deinit {
        unsafe event_base_free(pointer)
    }

    /// Runs the events that are ready, once; where `waiting` is set and none is, sleeps until one is.
    func turn(waiting: Bool) throws {
        let flags = EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY | (waiting ? 0 : EVLOOP_NONBLOCK)
        guard unsafe event_base_loop(pointer, flags) >= 0 else {
            throw ReactorError.loopFailed(SystemError(call: "event_base_loop"))
        }
    }
}
