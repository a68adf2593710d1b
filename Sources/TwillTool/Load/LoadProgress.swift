import Twill

/// A line on the terminal that shows once a second how fast a load is. It ends with the reactor.
final class LoadProgress {
    private static let period = Duration.seconds(1)

    private let run: LoadRun
    private let reactor: LibeventReactor
    private var seconds = 0
    private var messagesBefore = 0

    init(_ run: LoadRun, reactor: LibeventReactor) {
        self.run = run
        self.reactor = reactor
    }

    /// Shows the first line after a second.
    func start() {
        reactor.callLater(Self.period) { self.show() }
    }

    /// Takes the line away.
    func clear() {
        if seconds > 0 { Output.showProgress("") }
    }

    private func show() {
        seconds += 1
        let messages = run.tally.messagesTotal - messagesBefore
        messagesBefore = run.tally.messagesTotal
        let megabytes = Double(messages * run.messageBytes) / 1_000_000
        Output.showProgress(
            run.hasStarted
                ? "\(seconds) s: \(messages) messages/s, \(megabytes.rounded(toDigits: 1)) MB/s"
                : "\(seconds) s: \(run.tally.connectionsMade) of \(run.plan.connections) connected")
        start()
    }
}
