@testable import Twill
@testable import TwillTesting

/// A receiver of a test's: it writes down what it hears, and does with each frame what the test wants.
protocol ScriptedReceiver: FrameReceiver {
    var script: Script { get }
}

/// What such a receiver hears, in its order: frames as `line(…)` or `str(…)`, and what its transport is asked.
final class Script {
    typealias Callback = (any ScriptedReceiver, String) throws -> Void

    var heard: [String] = []
    let wire = RecordingTransport()
    fileprivate(set) var unreadAtTheEnd: [UInt8]?
    fileprivate let onFrame: Callback
    /// What happens to input that breaks the rules; where nothing is set, what happens by default.
    fileprivate let onRejected: ((any ScriptedReceiver, Rejection) throws -> Void)?

    init(onFrame: @escaping Callback, onRejected: ((any ScriptedReceiver, Rejection) throws -> Void)? = nil) {
        self.onFrame = onFrame
        self.onRejected = onRejected
        wire.onEvent = { [unowned self] in heard.append($0) }
    }

    fileprivate func hear(_ kind: String, _ frame: Span<UInt8>, by receiver: any ScriptedReceiver) throws {
        heard.append("\(kind)(\(text(frame)))")
        try onFrame(receiver, text(frame))
    }

    /// Whether the test has taken the rejection over.
    fileprivate func takes(_ rejection: Rejection, by receiver: any ScriptedReceiver) throws -> Bool {
        guard let onRejected else { return false }
        heard.append("rejected")
        try onRejected(receiver, rejection)
        return true
    }
}

extension ScriptedReceiver {
    var heard: [String] { script.heard }
    var wire: RecordingTransport { script.wire }

    /// How the peer broke the rules, where that closed the connection.
    var rejection: Rejection? { wire.reason == .badInput ? wire.reason?.underlying as? Rejection : nil }

    /// Tells it of its connection's loss, as a reactor does.
    func onLoss() {
        try? connectionLost(.lost)
    }

    /// Feeds the chunks; everything heard so far.
    @discardableResult
    func hear(_ chunks: [String]) throws -> [String] {
        for chunk in chunks { try feed(chunk) }
        return heard
    }

    @discardableResult
    func hear(_ chunks: String...) throws -> [String] { try hear(chunks) }
}

final class ScriptedNetstrings: NetstringReceiver, ScriptedReceiver {
    let script: Script

    init(_ script: Script, lengthMax: Int = 99_999) throws {
        self.script = script
        super.init(lengthMax: lengthMax)
        try makeConnection(script.wire)
    }

    convenience init(lengthMax: Int = 99_999, onFrame: @escaping Script.Callback = { _, _ in }) throws {
        try self.init(Script(onFrame: onFrame), lengthMax: lengthMax)
    }

    override func stringReceived(_ string: Span<UInt8>) throws { try script.hear("str", string, by: self) }

    override func inputRejected(_ rejection: Rejection) throws {
        if try !script.takes(rejection, by: self) { try super.inputRejected(rejection) }
    }

    override func connectionLost(_ reason: ConnectionLost) { script.unreadAtTheEnd = unreadBytes }
}

final class ScriptedStrings: LengthPrefixReceiver, ScriptedReceiver {
    let script: Script

    init(_ prefix: LengthPrefix, _ script: Script, lengthMax: Int = 99_999) throws {
        self.script = script
        super.init(prefix: prefix, lengthMax: lengthMax)
        try makeConnection(script.wire)
    }

    convenience init(_ prefix: LengthPrefix, lengthMax: Int = 99_999, onFrame: @escaping Script.Callback = { _, _ in }) throws {
        try self.init(prefix, Script(onFrame: onFrame), lengthMax: lengthMax)
    }

    override func stringReceived(_ string: Span<UInt8>) throws { try script.hear("str", string, by: self) }

    override func inputRejected(_ rejection: Rejection) throws {
        if try !script.takes(rejection, by: self) { try super.inputRejected(rejection) }
    }

    override func connectionLost(_ reason: ConnectionLost) { script.unreadAtTheEnd = unreadBytes }
}

final class ScriptedFrames<Framing: Framer>: FramedReceiver<Framing>, ScriptedReceiver {
    let script: Script

    init(_ framer: Framing, _ script: Script) throws {
        self.script = script
        super.init(framer)
        try makeConnection(script.wire)
    }

    override func frameReceived(_ frame: Span<UInt8>) throws { try script.hear("str", frame, by: self) }

    override func inputRejected(_ rejection: Rejection) throws {
        if try !script.takes(rejection, by: self) { try super.inputRejected(rejection) }
    }

    override func connectionLost(_ reason: ConnectionLost) { script.unreadAtTheEnd = unreadBytes }
}

/// A receiver of lines has more callbacks than one; each may be replaced while it runs.
final class ScriptedLines: LineReceiver, ScriptedReceiver {
    let script: Script
    var onLine: (ScriptedLines, String) throws -> Void = { _, _ in }
    var onRaw: (ScriptedLines, String) throws -> Void = { _, _ in }
    /// What happens to a line that is too long; nil is what happens by default.
    var onTooLong: ((ScriptedLines, String) throws -> Void)? = { _, _ in }

    init(_ script: Script, delimiter: LineDelimiter = .crlf, lengthMax: Int = 8, overlong: OverlongLines = .reject) throws {
        self.script = script
        super.init(delimiter: delimiter, lengthMax: lengthMax, overlong: overlong)
        try makeConnection(script.wire)
    }

    convenience init(
        delimiter: LineDelimiter = .crlf, lengthMax: Int = 8, overlong: OverlongLines = .reject,
        onLine: @escaping (ScriptedLines, String) throws -> Void = { _, _ in }
    ) throws {
        try self.init(Script { _, _ in }, delimiter: delimiter, lengthMax: lengthMax, overlong: overlong)
        self.onLine = onLine
    }

    override func lineReceived(_ line: Span<UInt8>) throws {
        try script.hear("line", line, by: self)
        try onLine(self, text(line))
    }

    override func rawDataReceived(_ data: Span<UInt8>) throws {
        script.heard.append("raw(\(text(data)))")
        try onRaw(self, text(data))
    }

    override func lineLengthExceeded(_ line: Span<UInt8>) throws {
        guard let onTooLong else { return try super.lineLengthExceeded(line) }
        script.heard.append("exceeded(\(text(line)))")
        try onTooLong(self, text(line))
    }

    override func inputRejected(_ rejection: Rejection) throws {
        if try !script.takes(rejection, by: self) { try super.inputRejected(rejection) }
    }

    override func connectionLost(_ reason: ConnectionLost) { script.unreadAtTheEnd = unreadBytes }

    func setLineMode(_ extra: String) throws {
        let extra = bytes(extra)
        try setLineMode(extra.span)
    }
}
