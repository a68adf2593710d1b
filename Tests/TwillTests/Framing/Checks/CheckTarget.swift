/// What is fuzzed, by name: one target for each framer and each receiver.
enum CheckTarget: String, CaseIterable, Sendable {
    case lineFramer = "line-framer"
    case netstringFramer = "netstring-framer"
    case lengthPrefixFramer = "length-prefix-framer"
    case fixedSizeFramer = "fixed-size-framer"
    case lineReceiver = "line-receiver"
    case netstringReceiver = "netstring-receiver"
    case lengthPrefixReceiver = "length-prefix-receiver"
    case framedReceiver = "framed-receiver"

    /// What the target makes of a fuzzer's bytes.
    func input(_ bytes: [UInt8]) -> FramingCheckInput {
        let kind: FramingCheckInput.Kind? =
            switch self {
            case .lineFramer, .lineReceiver: .lines
            case .netstringFramer, .netstringReceiver: .netstrings
            case .lengthPrefixFramer, .lengthPrefixReceiver: .strings
            case .fixedSizeFramer: .packets
            case .framedReceiver: nil
            }
        return FramingCheckInput(fuzzed: bytes, kind: kind)
    }

    /// Throws a `Disagreement` where the target does not do what the rules say.
    func check(_ input: FramingCheckInput) throws {
        switch self {
        case .lineFramer, .netstringFramer, .lengthPrefixFramer, .fixedSizeFramer: try input.checkFramer()
        case .lineReceiver, .netstringReceiver, .lengthPrefixReceiver: try input.checkReceiver(isFramed: false)
        case .framedReceiver: try input.checkReceiver(isFramed: true)
        }
    }
}
