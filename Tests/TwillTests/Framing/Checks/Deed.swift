import Twill

/// One thing that a protocol does in a callback, or its owner between two inputs.
///
/// A byte says which: most of them nothing, so that a stream usually gets somewhere before something happens.
enum Deed {
    case nothing
    case pause
    case resume
    case rawMode
    /// Line mode, with the last bytes of what the callback was given in front of the rest.
    case handBack(last: Int)
    /// Line mode, with other bytes in front of the rest.
    case insert([UInt8])
    case delimiter(LineDelimiter)
    case lengthMax(Int)
    case overlong(OverlongLines)
    /// More input, from inside a callback or not.
    case receive([UInt8])
    case takeUnread
    /// Another receiver goes on with what is not read yet; nothing from inside a callback.
    case startAnew
    /// Closes because of a line that is too long, as the method that tells of one does by default.
    case refuse
    case fail
    case lose
    case stop

    private static let scraps = ["a", "ab\r\n", "\n", "\r", "1:x,", "2:y", "\u{1}z", "abba"].map { Array($0.utf8) }
    private static let delimiters: [LineDelimiter] = [.crlf, .lf, .any, "a", "ab", "aab", "abab", "abaabaababaa"]
    private static let limits = [0, 1, 2, 5, 8, 20, 300, .max]
    private static let counts = [0, 1, 2, 3, 5, 8, 13, .max]

    init(_ byte: UInt8) {
        let choice = Int(byte >> 5)
        switch byte & 31 {
        case 14, 15: self = .pause
        case 16...18: self = .resume
        case 19, 20: self = .rawMode
        case 21, 22: self = .handBack(last: Self.counts[choice])
        case 23: self = .insert(Self.scraps[choice])
        case 24: self = .delimiter(Self.delimiters[choice])
        case 25: self = .lengthMax(Self.limits[choice])
        case 26: self = .overlong(choice & 1 == 0 ? .reject : .discard)
        case 27: self = .receive(Self.scraps[choice])
        case 28: self = .takeUnread
        case 29: self = .startAnew
        case 30: self = .refuse
        case 31: self = [.fail, .fail, .fail, .lose, .lose, .lose, .stop, .stop][choice]
        default: self = .nothing
        }
    }
}
