import Twill

// The receivers that do what a scenario says, and write down what they hear.

/// A receiver that plays a scenario.
protocol PlayingReceiver: FrameReceiver, FrameListener {}

extension PlayingReceiver {
    var standing: Heard {
        hasMore ? .waiting(unread: unreadBytes, unfinishedCount: unfinishedByteCount) : .closed
    }

    func receive(_ bytes: [UInt8]) throws {
        try dataReceived(bytes.span)
    }

    func takeUnread() -> [UInt8] {
        hasMore ? takeUnreadBytes() : []
    }

    func perform(_ deed: Deed) throws {
        try perform(deed, given: Span(), inCallback: false)
    }

    fileprivate func act(given: Span<UInt8>) throws {
        for deed in scenario.deeds() {
            try perform(deed, given: given, inCallback: true)
        }
    }

    fileprivate func perform(_ deed: Deed, given: Span<UInt8>, inCallback: Bool) throws {
        switch deed {
        case .pause: pauseProducing()
        case .resume: try resumeProducing()
        case .receive(let bytes): try dataReceived(bytes.span)
        case .takeUnread: if hasMore { scenario.hear(.took(takeUnreadBytes())) }
        case .fail: if inCallback { throw Failure() }
        case .lose: transport.loseConnection()
        case .stop: stopProducing()
        case .nothing, .refuse, .startAnew: break
        case .lengthMax(let lengthMax): change(lengthMax)
        case .rawMode, .handBack, .insert, .delimiter, .overlong: try (self as? PlayingLines)?.changeLines(deed, given: given)
        }
    }

    private func change(_ lengthMax: Int) {
        switch self {
        case let receiver as PlayingLines: receiver.lengthMax = lengthMax
        case let receiver as PlayingNetstrings: receiver.lengthMax = lengthMax
        case let receiver as PlayingStrings: receiver.lengthMax = lengthMax
        default: break
        }
    }

    /// The receiver, connected where the other one is.
    fileprivate func connected(like other: FrameReceiver?) throws -> Self {
        if other?.transport is SilentTransport { try makeConnection(SilentTransport()) }
        return self
    }
}

extension Span<UInt8> {
    fileprivate var array: [UInt8] { indices.map { self[$0] } }
}

/// A transport that carries nothing.
private final class SilentTransport: Transport {
    override init() {
        super.init()
        setState(.connected)
    }

    override func loseConnection() {
        if state == .connected { setState(.disconnecting) }
    }
}

final class PlayingLines: LineReceiver, PlayingReceiver {
    let scenario: Scenario

    init(_ rules: FramingRules.LineRules, _ scenario: Scenario) {
        self.scenario = scenario
        super.init(delimiter: rules.delimiter, lengthMax: rules.lengthMax, overlong: rules.overlong)
    }

    override func lineReceived(_ line: Span<UInt8>) throws {
        scenario.hear(.frame(line.array, unread: unreadBytes))
        try act(given: line)
    }

    override func rawDataReceived(_ data: Span<UInt8>) throws {
        scenario.hear(.raw(data.array, unread: unreadBytes))
        try act(given: data)
    }

    override func lineLengthExceeded(_ line: Span<UInt8>) throws {
        scenario.hear(.tooLong(line.array, unread: unreadBytes))
        let deeds = scenario.deeds()
        if deeds.isEmpty { try super.lineLengthExceeded(line) }
        for deed in deeds {
            if case .refuse = deed {
                overlong = .reject
                return try super.lineLengthExceeded(line)
            }
            try perform(deed, given: line, inCallback: true)
        }
    }

    override func inputRejected(_ rejection: Rejection) throws {
        scenario.hear(.rejected(rejection))
        try super.inputRejected(rejection)
    }

    fileprivate func changeLines(_ deed: Deed, given: Span<UInt8>) throws {
        switch deed {
        case .rawMode: setRawMode()
        case .handBack(let last): try setLineMode(given.extracting(last: last))
        case .insert(let extra): try setLineMode(extra.span)
        case .delimiter(let delimiter): self.delimiter = delimiter
        case .overlong(let overlong): self.overlong = overlong
        default: break
        }
    }

    func makeSuccessor() throws -> any FrameListener {
        let rules = FramingRules.LineRules(delimiter: delimiter, lengthMax: lengthMax, overlong: overlong)
        return try PlayingLines(rules, scenario).connected(like: self)
    }
}

final class PlayingNetstrings: NetstringReceiver, PlayingReceiver {
    let scenario: Scenario

    init(lengthMax: Int, _ scenario: Scenario) {
        self.scenario = scenario
        super.init(lengthMax: lengthMax)
    }

    override func stringReceived(_ string: Span<UInt8>) throws {
        scenario.hear(.frame(string.array, unread: unreadBytes))
        try act(given: string)
    }

    override func inputRejected(_ rejection: Rejection) throws {
        scenario.hear(.rejected(rejection))
        try super.inputRejected(rejection)
    }

    func makeSuccessor() throws -> any FrameListener {
        try PlayingNetstrings(lengthMax: lengthMax, scenario).connected(like: self)
    }
}

final class PlayingStrings: LengthPrefixReceiver, PlayingReceiver {
    let scenario: Scenario
    private let ownPrefix: LengthPrefix

    init(_ prefix: LengthPrefix, lengthMax: Int, _ scenario: Scenario) {
        self.scenario = scenario
        ownPrefix = prefix
        super.init(prefix: prefix, lengthMax: lengthMax)
    }

    override func stringReceived(_ string: Span<UInt8>) throws {
        scenario.hear(.frame(string.array, unread: unreadBytes))
        try act(given: string)
    }

    override func inputRejected(_ rejection: Rejection) throws {
        scenario.hear(.rejected(rejection))
        try super.inputRejected(rejection)
    }

    func makeSuccessor() throws -> any FrameListener {
        try PlayingStrings(ownPrefix, lengthMax: lengthMax, scenario).connected(like: self)
    }
}

final class PlayingFrames<Framing: Framer>: FramedReceiver<Framing>, PlayingReceiver {
    let scenario: Scenario
    private let fresh: Framing

    init(_ framer: Framing, scenario: Scenario) {
        self.scenario = scenario
        fresh = framer
        super.init(framer)
    }

    override func frameReceived(_ frame: Span<UInt8>) throws {
        scenario.hear(.frame(frame.array, unread: unreadBytes))
        try act(given: frame)
    }

    override func inputRejected(_ rejection: Rejection) throws {
        scenario.hear(.rejected(rejection))
        try super.inputRejected(rejection)
    }

    func makeSuccessor() throws -> any FrameListener {
        try PlayingFrames(fresh, scenario: scenario).connected(like: self)
    }
}

extension FramingRules {
    /// A receiver of the rules; one of any framer where there is none of their own.
    func makeReceiver(isFramed: Bool, hasTransport: Bool, scenario: Scenario) throws -> any FrameListener {
        func connected(_ receiver: some PlayingReceiver) throws -> any FrameListener {
            if hasTransport { try receiver.makeConnection(SilentTransport()) }
            return receiver
        }
        func framed(_ framer: some Framer) throws -> any FrameListener {
            try connected(PlayingFrames(framer, scenario: scenario))
        }
        switch self {
        case .lines(let rules) where !isFramed: return try connected(PlayingLines(rules, scenario))
        case .netstrings(let lengthMax) where !isFramed: return try connected(PlayingNetstrings(lengthMax: lengthMax, scenario))
        case .strings(let prefix, let lengthMax) where !isFramed:
            return try connected(PlayingStrings(prefix, lengthMax: lengthMax, scenario))
        default: return try framed(makeFramer())
        }
    }
}
