@testable import Twill

/// Who listens to one of the receivers below: a test's conversation.
protocol ReceiverOwner: AnyObject {
    func made(_ receiver: any SharedReceiver) throws
    func received(_ message: Span<UInt8>)
    func readLost(_ receiver: any SharedReceiver)
    func lost(_ reason: ConnectionLost)
}

/// A receiver of a framing that Twisted has, too; it passes everything on to its owner.
protocol SharedReceiver: FrameReceiver, HalfCloseableProtocol {
    var owner: any ReceiverOwner { get }
    func send(_ message: Span<UInt8>) throws
}

extension SharedReceiver {
    func readConnectionLost() { owner.readLost(self) }
    func writeConnectionLost() {}
}

extension SharedFraming {
    /// One of Twill's receivers.
    func makeReceiver(lengthMax: Int, owner: any ReceiverOwner) -> any SharedReceiver {
        switch self {
        case .lines: Lines(lengthMax: lengthMax, owner: owner)
        case .netstrings: Netstrings(lengthMax: lengthMax, owner: owner)
        case .int32: Int32Strings(lengthMax: lengthMax, owner: owner)
        case .int16: Int16Strings(lengthMax: lengthMax, owner: owner)
        case .int8: Int8Strings(lengthMax: lengthMax, owner: owner)
        }
    }
}

private final class Lines: LineReceiver, SharedReceiver {
    let owner: any ReceiverOwner

    init(lengthMax: Int, owner: any ReceiverOwner) {
        self.owner = owner
        super.init(lengthMax: lengthMax)
    }

    func send(_ message: Span<UInt8>) { sendLine(message) }
    override func connectionMade() throws { try owner.made(self) }
    override func lineReceived(_ line: Span<UInt8>) { owner.received(line) }
    override func connectionLost(_ reason: ConnectionLost) { owner.lost(reason) }
}

private final class Netstrings: NetstringReceiver, SharedReceiver {
    let owner: any ReceiverOwner

    init(lengthMax: Int, owner: any ReceiverOwner) {
        self.owner = owner
        super.init(lengthMax: lengthMax)
    }

    func send(_ message: Span<UInt8>) { sendString(message) }
    override func connectionMade() throws { try owner.made(self) }
    override func stringReceived(_ string: Span<UInt8>) { owner.received(string) }
    override func connectionLost(_ reason: ConnectionLost) { owner.lost(reason) }
}

private final class Int32Strings: Int32StringReceiver, SharedReceiver {
    let owner: any ReceiverOwner

    init(lengthMax: Int, owner: any ReceiverOwner) {
        self.owner = owner
        super.init(lengthMax: lengthMax)
    }

    func send(_ message: Span<UInt8>) throws { try sendString(message) }
    override func connectionMade() throws { try owner.made(self) }
    override func stringReceived(_ string: Span<UInt8>) { owner.received(string) }
    override func connectionLost(_ reason: ConnectionLost) { owner.lost(reason) }
}

private final class Int16Strings: Int16StringReceiver, SharedReceiver {
    let owner: any ReceiverOwner

    init(lengthMax: Int, owner: any ReceiverOwner) {
        self.owner = owner
        super.init(lengthMax: lengthMax)
    }

    func send(_ message: Span<UInt8>) throws { try sendString(message) }
    override func connectionMade() throws { try owner.made(self) }
    override func stringReceived(_ string: Span<UInt8>) { owner.received(string) }
    override func connectionLost(_ reason: ConnectionLost) { owner.lost(reason) }
}

private final class Int8Strings: Int8StringReceiver, SharedReceiver {
    let owner: any ReceiverOwner

    init(lengthMax: Int, owner: any ReceiverOwner) {
        self.owner = owner
        super.init(lengthMax: lengthMax)
    }

    func send(_ message: Span<UInt8>) throws { try sendString(message) }
    override func connectionMade() throws { try owner.made(self) }
    override func stringReceived(_ string: Span<UInt8>) { owner.received(string) }
    override func connectionLost(_ reason: ConnectionLost) { owner.lost(reason) }
}
