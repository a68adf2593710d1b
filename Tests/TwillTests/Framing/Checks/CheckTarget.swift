/// What is fuzzed, by name: one target for each framer and each receiver, and those for the texts and headers of endpoints.
enum CheckTarget: String, CaseIterable, Sendable {
    case lineFramer = "line-framer"
    case netstringFramer = "netstring-framer"
    case lengthPrefixFramer = "length-prefix-framer"
    case fixedSizeFramer = "fixed-size-framer"
    case lineReceiver = "line-receiver"
    case netstringReceiver = "netstring-receiver"
    case lengthPrefixReceiver = "length-prefix-receiver"
    case framedReceiver = "framed-receiver"
    case endpoint
    case proxyHeader = "proxy-header"

    /// What a target is run with.
    enum Input: CustomStringConvertible {
        case framing(FramingCheckInput)
        case endpoint(EndpointCheck)
        case proxyHeader(ProxyHeaderCheck)

        var description: String {
            switch self {
            case .framing(let input): input.description
            case .endpoint(let check): check.description
            case .proxyHeader(let check): check.description
            }
        }
    }

    /// What the target makes of a fuzzer's bytes.
    func input(_ bytes: [UInt8]) -> Input {
        switch self {
        case .lineFramer, .lineReceiver: .framing(FramingCheckInput(fuzzed: bytes, kind: .lines))
        case .netstringFramer, .netstringReceiver: .framing(FramingCheckInput(fuzzed: bytes, kind: .netstrings))
        case .lengthPrefixFramer, .lengthPrefixReceiver: .framing(FramingCheckInput(fuzzed: bytes, kind: .strings))
        case .fixedSizeFramer: .framing(FramingCheckInput(fuzzed: bytes, kind: .packets))
        case .framedReceiver: .framing(FramingCheckInput(fuzzed: bytes, kind: nil))
        case .endpoint: .endpoint(EndpointCheck(fuzzed: bytes))
        case .proxyHeader: .proxyHeader(ProxyHeaderCheck(fuzzed: bytes))
        }
    }

    /// Throws a `Disagreement` where the target does not do what the rules say.
    func check(_ input: Input) throws {
        switch input {
        case .endpoint(let check): try check.run()
        case .proxyHeader(let check): try check.run()
        case .framing(let input):
            switch self {
            case .lineReceiver, .netstringReceiver, .lengthPrefixReceiver: try input.checkReceiver(isFramed: false)
            case .framedReceiver: try input.checkReceiver(isFramed: true)
            default: try input.checkFramer()
            }
        }
    }
}
