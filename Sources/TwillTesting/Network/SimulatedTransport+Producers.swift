import Twill

/// What its producers ask of it: see `ProducingTransport`.
extension SimulatedTransport: ProducingTransport {
    var defaultMarks: WaterMarks { options.waterMarks }

    var pressure: Int { bufferedByteCount }

    var hasSentAll: Bool { output.isEmpty }

    func flushOutput() { flush() }

    func comeBack() { loop.visitLater(self) }

    func producerPauses(_ pauses: Bool) {
        counters.count { $0.pausedProducers += pauses ? 1 : -1 }
        watch.producer(pauses: pauses, on: socket)
    }

    func producerBegins() { watch.producerBegins() }
}
