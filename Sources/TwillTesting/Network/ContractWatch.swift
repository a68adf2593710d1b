/// Looks on while a connection's callbacks are made: `connectionMade` first, `connectionLost` last, and none of them inside another.
struct ContractWatch {
    /// What a protocol is told.
    enum Callback: String {
        case connectionMade, dataReceived, readConnectionLost, writeConnectionLost, connectionLost
    }

    private var isInside = false
    private var isMade = false
    private var isLost = false

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

    /// A callback ends.
    mutating func end() {
        isInside = false
    }
}
