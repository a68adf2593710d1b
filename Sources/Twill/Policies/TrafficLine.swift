/// A line of a traffic log: who spoke and what, in printable ASCII alone, so that nothing a peer sends can pass for another line.
///
/// Text is as it is, but for quotes and backslashes, which get a backslash in front; line ends and tabs are `\n`, `\r` and `\t`, and any
/// other byte is `\x` and two hexadecimal digits. What is more than the limit is counted instead.
struct TrafficLine {
    private var line: [UInt8]
    /// How many bytes more may be shown.
    private var room: Int
    private var hidden = 0

    /// Begins a line, of at most so many bytes of traffic.
    init(_ speaker: String, lengthMax: Int?) {
        line = Array("\(speaker): \"".utf8)
        room = lengthMax ?? .max
    }

    /// Adds what was said.
    mutating func add(_ data: Span<UInt8>) {
        let shown = min(data.count, room)
        for index in 0..<shown { add(data[index]) }
        room -= shown
        hidden += data.count - shown
    }

    private mutating func add(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\n"): line += [UInt8(ascii: "\\"), UInt8(ascii: "n")]
        case UInt8(ascii: "\r"): line += [UInt8(ascii: "\\"), UInt8(ascii: "r")]
        case UInt8(ascii: "\t"): line += [UInt8(ascii: "\\"), UInt8(ascii: "t")]
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): line += [UInt8(ascii: "\\"), byte]
        case 0x20...0x7E: line.append(byte)
        default: line += [UInt8(ascii: "\\"), UInt8(ascii: "x"), Self.digit(byte >> 4), Self.digit(byte & 15)]
        }
    }

    private static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
    }

    /// The line as it stands, without an end.
    var text: String {
        String(decoding: line, as: UTF8.self) + (hidden > 0 ? "\" and \(hidden) bytes more" : "\"")
    }
}
