/// What its producers ask of it: see `ProducingTransport`.
extension SocketTransport: ProducingTransport {
    var defaultMarks: WaterMarks { settings.options.waterMarks }

    var pressure: Int { unsent?.pressure(waterMarks) ?? 0 }

    var hasSentAll: Bool { unsent == nil }

    func flushOutput() { loop.stage.flush(self) }

    func comeBack() { loop.visitLater(self) }

    func producerPauses(_ pauses: Bool) {
        counters.count { $0.pausedProducers += pauses ? 1 : -1 }
    }
}
