import Twill

extension FramingCheckInput {
    /// Checks the receiver that the rules ask for against its model, and against the naive rules where it only listens.
    ///
    /// - Parameter isFramed: whether it is the receiver of any framer, rather than the one that the rules have of their own.
    func checkReceiver(isFramed: Bool) throws {
        let isFramed = isFramed || rules.haveNoReceiver
        for pieces in cuts {
            let expected = Scenario(deeds)
            let model = ReceiverModel(rules, isFramed: isFramed, hasTransport: hasTransport, scenario: expected)
            try expected.play(stream, in: pieces, to: model)
            let scenario = Scenario(deeds)
            let receiver = try rules.makeReceiver(isFramed: isFramed, hasTransport: hasTransport, scenario: scenario)
            try scenario.play(stream, in: pieces, to: receiver)
            try compare(scenario.heard, expected.heard, "in \(pieces.count) pieces")
            if deeds.isEmpty { try compareWithRules(scenario.heard, "in \(pieces.count) pieces") }
        }
    }

    private func compare(_ heard: [Heard], _ expected: [Heard], _ context: String) throws {
        guard heard != expected else { return }
        let common = zip(heard, expected).prefix { $0 == $1 }.count
        let this = heard.dropFirst(common).first.map { "\($0)" } ?? "nothing"
        let that = expected.dropFirst(common).first.map { "\($0)" } ?? "nothing"
        let before = heard.prefix(common).suffix(3)
        throw Disagreement(description: "\(context), event \(common): heard \(this), expected \(that), after \(Array(before))")
    }

    private func compareWithRules(_ heard: [Heard], _ context: String) throws {
        let expected = rules.outcome(of: stream)
        let frames = heard.compactMap { if case .frame(let frame, _) = $0 { frame } else { nil } }
        try require(frames == expected.frames, "\(context): heard \(frames), the rules say \(expected.frames)")
        let rejections = heard.compactMap { if case .rejected(let rejection) = $0 { rejection } else { nil } }
        let expectedRejections = expected.rejection.map { [$0] } ?? []
        try require(rejections == expectedRejections, "\(context): heard \(rejections), the rules say \(expectedRejections)")
    }
}

extension FramingRules {
    fileprivate var haveNoReceiver: Bool {
        if case .packets = self { true } else { false }
    }
}
