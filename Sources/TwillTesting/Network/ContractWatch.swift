/// Looks on while a connection's callbacks are made: `connectionMade` first, `connectionLost` last, and none of them inside another.
struct ContractWatch {
    /// What a protocol is told.
    enum Callback: String {
        case connectionMade, dataReceived, readConnectionLost, writeConnectionLost, connectionLost
    }

    private var isInside = false
    private var isMade = false
    private var isLost = false
    private var isProducerPaused = false

    /// A callback begins.
    mutating func begin(_ callback: Callback, on socket: SimulatedSocket) {
        if isInside { socket.violated("\(callback) inside another callback") }
        if isLost { socket.violated("\(callback) after connectionLost") }
        if isMade == (callback == .connectionMade) {
            socket.violated("\(callback) where connectionMade \(isMade ? "was" : "was not") called")
        }
        (isInside, isMade) = (true, true)
        isLost = isLost || callback == .connectionLost
    }

    /// A producer is told to pause, or to go on.
    mutating func producer(pauses: Bool, on socket: SimulatedSocket) {
        if isProducerPaused == pauses { socket.violated("a producer was told to \(pauses ? "pause" : "go on") twice") }
        isProducerPaused = pauses
    }

    /// A producer begins: it is not paused.
    mutating func producerBegins() {
        isProducerPaused = false
    }

    /// A callback ends.
    mutating func end() {
        isInside = false
    }
}
