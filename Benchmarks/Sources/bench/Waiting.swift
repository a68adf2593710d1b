import Foundation

/// Asks `condition` every few milliseconds until it holds or the time is up, and says whether it held.
///
/// Asking costs the measured servers nothing to speak of: they have a core to themselves.
func waitUntil(atMost seconds: Double, every interval: Double = 0.01, _ condition: () throws -> Bool) rethrows -> Bool {
    let deadline = ContinuousClock.now + .seconds(seconds)
    while true {
        if try condition() { return true }
        if ContinuousClock.now >= deadline { return false }
        Thread.sleep(forTimeInterval: interval)
    }
}
