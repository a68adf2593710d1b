import Twill

/// What a receiver promises, as plainly as it can be written: three arrays of bytes that nobody has read, and the naive rules.
///
/// It is slow, and looks at an unfinished frame anew with each input.
final class ReceiverModel: FrameListener {
    let scenario: Scenario
    /// Whether the receiver is one of any framer, which knows nothing of raw bytes and can't change its rules.
    private let isFramed: Bool
    private let hasTransport: Bool
    private var rules: FramingRules

    /// The beginning of a frame, from earlier inputs.
    private var partial: [UInt8] = []
    /// What is left of the input at hand.
    private var current: [UInt8] = []
    /// What comes after it.
    private var queue: [UInt8] = []
    /// All that has arrived of a line that is being skipped.
    private var skipping: [UInt8]?
    private var arrivedCount = 0

    private var isRaw = false
    private var isPaused = false
    private var isOver = false
    private var isOpen = true
    private var isBusy = false

    init(_ rules: FramingRules, isFramed: Bool, hasTransport: Bool, scenario: Scenario) {
        self.rules = rules
        self.isFramed = isFramed
        self.hasTransport = hasTransport
        self.scenario = scenario
    }

    private var unread: [UInt8] { partial + current + queue }

    private var mayDeliver: Bool { !isPaused && !isOver && isOpen }

    /// The rules of lines, where the receiver is one of lines.
    private var lineRules: FramingRules.LineRules? {
        get { if !isFramed, case .lines(let lines) = rules { lines } else { nil } }
        set { if let newValue { rules = .lines(newValue) } }
    }

    var standing: Heard {
        guard !isOver, isOpen else { return .closed }
        return .waiting(unread: unread, unfinishedCount: isRaw ? 0 : unfinishedCount)
    }

    /// Of a line that is skipped only what may be the beginning of its delimiter is held; that its end is waited for shows in any case.
    private var unfinishedCount: Int {
        guard let skipping, case .lines(let lines) = rules else { return partial.count }
        return max(1, min(skipping.count, lines.delimiter.bytes.count - 1))
    }

    func receive(_ bytes: [UInt8]) throws {
        guard !isOver else { return }
        arrivedCount += bytes.count
        guard !isBusy, !isPaused, queue.isEmpty else {
            queue += bytes
            return try goOn()
        }
        try read(bytes)
        try goOn()
    }

    private func goOn() throws {
        while !isBusy, mayDeliver, !queue.isEmpty {
            let input = queue
            queue = []
            try read(input)
        }
    }

    private func read(_ input: [UInt8]) throws {
        isBusy = true
        current = input
        do {
            while mayDeliver, !current.isEmpty { try readNext() }
        } catch {
            end()
            throw error
        }
        isBusy = false
        if !current.isEmpty, isOver || !isOpen { return end() }
        queue = current + queue
        current = []
    }

    private func end() {
        isOver = true
        isBusy = false
        current = []
        queue = []
    }

    private func readNext() throws {
        if isRaw {
            let data = current
            current = []
            scenario.hear(.raw(data, unread: unread))
            try act(given: data, isRestOfInput: true)
        } else if let seen = skipping {
            skip(after: seen)
        } else {
            try readFrame()
        }
    }

    private func skip(after seen: [UInt8]) {
        guard case .lines(let lines) = rules, let end = lines.end(in: seen + current) else {
            skipping = seen + current
            return current = []
        }
        current.removeFirst(end.next - seen.count)
        skipping = nil
    }

    private func readFrame() throws {
        let start = arrivedCount - unread.count
        let bytes = partial + current
        switch rules.verdict(on: bytes, settled: partial.count) {
        case .needsMore:
            partial = bytes
            current = []
        case .frame(let frame, let took):
            take(took)
            scenario.hear(.frame(frame, unread: unread))
            try act(given: frame)
        case .skipped(let line, let took):
            take(took)
            try tellTooLong(Array(bytes.prefix(line)), at: start)
        case .skippedSoFar:
            let isRestOfInput = partial.isEmpty
            take(bytes.count)
            skipping = bytes
            try tellTooLong(bytes, at: start, isRestOfInput: isRestOfInput)
        case .rejected(let reason, let position):
            let isRestOfInput = partial.isEmpty
            take(bytes.count)
            if lineRules != nil { return try tellTooLong(bytes, at: start, isRestOfInput: isRestOfInput) }
            reject(Rejection(reason, offset: start + position))
        }
    }

    /// Reads past bytes, those of earlier inputs first.
    private func take(_ count: Int) {
        current = Array((partial + current).dropFirst(count))
        partial = []
    }

    private func reject(_ rejection: Rejection) {
        end()
        scenario.hear(.rejected(rejection))
        if hasTransport { isOpen = false }
    }

    private func tellTooLong(_ line: [UInt8], at start: Int, isRestOfInput: Bool = false) throws {
        guard let lines = lineRules else { return }
        scenario.hear(.tooLong(line, unread: unread))
        let deeds = scenario.deeds()
        if deeds.isEmpty {
            if lines.overlong == .reject { reject(rules.tooLong(lineAt: start)) }
            return
        }
        let rejectedAt = start + lines.lengthMax
        for deed in deeds {
            if case .refuse = deed {
                lineRules?.overlong = .reject
                // The limit may have been changed meanwhile; where it was passed has not.
                let lengthMax = lineRules?.lengthMax ?? lines.lengthMax
                return reject(Rejection(.lineTooLong(lengthMax: lengthMax), offset: rejectedAt))
            }
            try perform(deed, given: line, isRestOfInput: isRestOfInput, inCallback: true)
        }
    }

    private func act(given: [UInt8], isRestOfInput: Bool = false) throws {
        for deed in scenario.deeds() {
            try perform(deed, given: given, isRestOfInput: isRestOfInput, inCallback: true)
        }
    }

    func perform(_ deed: Deed) throws {
        try perform(deed, given: [], isRestOfInput: false, inCallback: false)
    }

    private func perform(_ deed: Deed, given: [UInt8], isRestOfInput: Bool, inCallback: Bool) throws {
        switch deed {
        case .pause: isPaused = isPaused || !isOver
        case .resume:
            isPaused = false
            try goOn()
        case .lengthMax(let lengthMax): change(lengthMax)
        case .receive(let bytes): try receive(bytes)
        case .takeUnread: if !isOver, isOpen { scenario.hear(.took(takeUnread())) }
        case .fail: if inCallback { throw Failure() }
        case .lose: if hasTransport { isOpen = false }
        case .stop:
            isOver = true
            queue = []
            if hasTransport { isOpen = false }
        case .nothing, .refuse, .startAnew: break
        case .rawMode, .handBack, .insert, .delimiter, .overlong:
            if lineRules != nil { try changeLines(deed, given: given, isRestOfInput: isRestOfInput) }
        }
    }

    private func changeLines(_ deed: Deed, given: [UInt8], isRestOfInput: Bool) throws {
        switch deed {
        case .rawMode:
            isRaw = true
            // What follows the raw bytes is no rest of a line that is being skipped.
            skipping = nil
            putPartialBack()
        case .handBack(let last):
            isRaw = false
            let extra = Array(given.suffix(last))
            if isRestOfInput, current.isEmpty, !extra.isEmpty { current = extra } else { putBack(extra) }
            try goOn()
        case .insert(let extra):
            isRaw = false
            putBack(extra)
            try goOn()
        case .delimiter(let delimiter):
            lineRules?.delimiter = delimiter
            if skipping != nil { skipping = [] }
            putPartialBack()
        case .overlong(let overlong): lineRules?.overlong = overlong
        default: break
        }
    }

    private func putBack(_ bytes: [UInt8]) {
        guard !bytes.isEmpty else { return }
        queue = bytes + current + queue
        current = []
    }

    private func putPartialBack() {
        let bytes = partial
        partial = []
        putBack(bytes)
    }

    private func change(_ lengthMax: Int) {
        guard !isFramed else { return }
        switch rules {
        case .lines: lineRules?.lengthMax = lengthMax
        case .netstrings: rules = .netstrings(lengthMax: lengthMax)
        case .strings(let prefix, _): rules = .strings(prefix, lengthMax: lengthMax)
        case .packets: break
        }
    }

    func takeUnread() -> [UInt8] {
        guard !isOver, isOpen else { return [] }
        let bytes = unread
        partial = []
        current = []
        queue = []
        return bytes
    }

    func makeSuccessor() -> any FrameListener {
        ReceiverModel(rules, isFramed: isFramed, hasTransport: hasTransport, scenario: scenario)
    }
}
