package import Logging

/// A moment in a reactor's life that calls can be hung on.
///
/// Twisted: the event types of `addSystemEventTrigger`.
public struct SystemEvent: Hashable, Sendable {
    let name: String

    /// An event of your own, fired by ``Reactor/fireSystemEvent(_:)``.
    public init(_ name: String) {
        self.name = name
    }

    /// The reactor begins to run.
    public static let startup = SystemEvent("startup")
    /// The reactor was stopped. Between `before` and `after` its ports close and its connections are lost.
    public static let shutdown = SystemEvent("shutdown")
}

/// When a call comes relative to the event it is hung on.
public enum SystemEventPhase: Hashable, Sendable {
    /// First; where one returns a ``Deferred``, the event waits for it.
    case before
    /// After all of `before`, the waiting included.
    case during
    /// Last.
    case after
}

/// What ``Reactor/addSystemEventTrigger(_:_:call:)`` returns, to take the call back with.
public struct SystemEventTrigger: Hashable, Sendable {
    let event: SystemEvent
    let phase: SystemEventPhase
    let number: Int
}

/// The calls that are hung on a reactor's events. Each is made once, in the order in which they were added.
///
/// A call that throws is logged and the others are still made.
package final class SystemEvents {
    private struct Key: Hashable {
        var event: SystemEvent
        var phase: SystemEventPhase
    }

    private struct Trigger {
        var number: Int
        var call: () throws -> Deferred<Void>?
    }

    private var triggers: [Key: [Trigger]] = [:]
    private var nextNumber = 0
    private let logger: () -> Logger
    private let later: (@escaping () -> Void) -> Void

    /// `later` makes a call on the reactor's next turn, outside of every callback.
    package init(logger: @escaping () -> Logger, later: @escaping (@escaping () -> Void) -> Void) {
        self.logger = logger
        self.later = later
    }

    package func add(
        _ phase: SystemEventPhase, _ event: SystemEvent, call: @escaping () throws -> Deferred<Void>?
    ) -> SystemEventTrigger {
        nextNumber += 1
        triggers[Key(event: event, phase: phase), default: []].append(Trigger(number: nextNumber, call: call))
        return SystemEventTrigger(event: event, phase: phase, number: nextNumber)
    }

    /// Takes a call back; false where it was made or taken back already.
    package func remove(_ trigger: SystemEventTrigger) -> Bool {
        let key = Key(event: trigger.event, phase: trigger.phase)
        guard let index = triggers[key]?.firstIndex(where: { $0.number == trigger.number }) else { return false }
        triggers[key]?.remove(at: index)
        return true
    }

    /// Takes all calls back.
    package func removeAll() {
        triggers = [:]
    }

    /// Makes the calls of `before`, and once all that they return has fired, runs `then` between those of `during` and of `after`.
    package func fire(_ event: SystemEvent, then: @escaping () -> Void) {
        let pending = makeCalls(.before, event)
        var left = pending.count
        let go = {
            _ = self.makeCalls(.during, event)
            then()
            _ = self.makeCalls(.after, event)
        }
        guard left > 0 else { return go() }
        for deferred in pending {
            deferred.addBoth { result in
                if case .failure(let error) = result {
                    self.logger().error("a call before \(event.name) failed: \(error)")
                }
                left -= 1
                if left == 0 { self.later(go) }
            }
        }
    }

    /// Makes one phase's calls one at a time, because each may add and remove others.
    private func makeCalls(_ phase: SystemEventPhase, _ event: SystemEvent) -> [Deferred<Void>] {
        let key = Key(event: event, phase: phase)
        var pending: [Deferred<Void>] = []
        while let trigger = triggers[key]?.first {
            triggers[key]?.removeFirst()
            do {
                if let deferred = try trigger.call() { pending.append(deferred) }
            } catch {
                logger().error("a call \(phase) \(event.name) threw: \(error)")
            }
        }
        triggers[key] = nil
        return pending
    }
}
