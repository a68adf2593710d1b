import Testing

@testable import Twill

/// A kind of receiver: what a `FrameReceiver` promises holds for each of them.
enum FramingKind: CaseIterable, CustomTestStringConvertible, Sendable {
    case lines
    case linesWithLongDelimiter
    case netstrings
    case int8
    case int16
    case int32
    case int64
    case littleEndian
    case framer

    /// The most bytes that its frames may have.
    static let lengthMax = 100

    var testDescription: String {
        switch self {
        case .lines: "LineReceiver"
        case .linesWithLongDelimiter: "LineReceiver with a delimiter of ten bytes"
        case .netstrings: "NetstringReceiver"
        case .int8: "Int8StringReceiver"
        case .int16: "Int16StringReceiver"
        case .int32: "Int32StringReceiver"
        case .int64: "Int64StringReceiver"
        case .littleEndian: "LengthPrefixReceiver, little end first"
        case .framer: "FramedReceiver"
        }
    }

    /// A framer of the same kind.
    var alone: any Framer {
        switch self {
        case .lines: LineFramer(lengthMax: Self.lengthMax)
        case .linesWithLongDelimiter: LineFramer(delimiter: "<boundary>", lengthMax: Self.lengthMax)
        case .netstrings: NetstringFramer(lengthMax: Self.lengthMax)
        case .int8: LengthPrefixFramer(.uint8, lengthMax: Self.lengthMax)
        case .int16: LengthPrefixFramer(.uint16, lengthMax: Self.lengthMax)
        case .int32: LengthPrefixFramer(.uint32, lengthMax: Self.lengthMax)
        case .int64: LengthPrefixFramer(.uint64, lengthMax: Self.lengthMax)
        case .littleEndian: LengthPrefixFramer(.uint32(.littleEndian), lengthMax: Self.lengthMax)
        case .framer: LineFramer(delimiter: ";", lengthMax: Self.lengthMax)
        }
    }

    func receiver(_ script: Script) throws -> any ScriptedReceiver {
        let lengthMax = Self.lengthMax
        switch self {
        case .lines: return try lines(script, .crlf)
        case .linesWithLongDelimiter: return try lines(script, "<boundary>")
        case .netstrings: return try ScriptedNetstrings(script, lengthMax: lengthMax)
        case .int8: return try ScriptedStrings(.uint8, script, lengthMax: lengthMax)
        case .int16: return try ScriptedStrings(.uint16, script, lengthMax: lengthMax)
        case .int32: return try ScriptedStrings(.uint32, script, lengthMax: lengthMax)
        case .int64: return try ScriptedStrings(.uint64, script, lengthMax: lengthMax)
        case .littleEndian: return try ScriptedStrings(.uint32(.littleEndian), script, lengthMax: lengthMax)
        case .framer: return try ScriptedFrames(LineFramer(delimiter: ";", lengthMax: lengthMax), script)
        }
    }

    func receiver(onFrame: @escaping Script.Callback = { _, _ in }) throws -> any ScriptedReceiver {
        try receiver(Script(onFrame: onFrame))
    }

    private func lines(_ script: Script, _ delimiter: LineDelimiter) throws -> ScriptedLines {
        let lines = try ScriptedLines(script, delimiter: delimiter, lengthMax: Self.lengthMax)
        lines.onTooLong = nil
        return lines
    }

    /// The frames as they go over the wire.
    func wire(_ frames: String...) -> String {
        var wire: [UInt8] = []
        for frame in frames { alone.encode(bytes(frame), into: &wire) }
        return text(wire.span)
    }

    /// What is heard of a frame.
    func heard(_ frame: String) -> String {
        self == .lines || self == .linesWithLongDelimiter ? "line(\(frame))" : "str(\(frame))"
    }

    /// A frame that is too long, whole.
    var overlong: String { wire(String(repeating: "x", count: Self.lengthMax + 1)) }
}
