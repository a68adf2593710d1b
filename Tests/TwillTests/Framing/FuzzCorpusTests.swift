import Foundation
import TestSupport
import Testing
import Twill

@testable import TwillTesting

/// The fuzzers' corpus through the fuzzers' checks, without libFuzzer: whatever a fuzzer once tripped over is a test from then on.
@Suite("The fuzzers' corpus", .nothingLivesOn)
struct FuzzCorpusTests {
    private static let folder = URL(filePath: #filePath).appending(path: "../../../../Fuzz/corpus").standardized

    private func inputs(_ target: CheckTarget) throws -> [(file: String, input: CheckTarget.Input)] {
        let folder = Self.folder.appending(path: target.rawValue)
        return try FileManager.default.contentsOfDirectory(atPath: folder.path()).sorted().map { file in
            (file, target.input([UInt8](try Data(contentsOf: folder.appending(path: file)))))
        }
    }

    @Test(arguments: CheckTarget.allCases)
    func everyInputPasses(target: CheckTarget) throws {
        let inputs = try inputs(target)
        #expect(!inputs.isEmpty)
        for (file, input) in inputs {
            #expect(throws: Never.self, "\(file): \(input)") { try target.check(input) }
        }
    }

    @Test func everyTargetHasAFolder() throws {
        let folders = try FileManager.default.contentsOfDirectory(atPath: Self.folder.path())
        #expect(Set(folders) == Set(CheckTarget.allCases.map(\.rawValue)))
    }

    /// What the inputs of a target come to: frames, and each way to break the rules.
    private func results(_ target: CheckTarget) throws -> Set<String> {
        try Set(
            inputs(target).flatMap { _, input in
                guard case .framing(let input) = input else { return results(input) }
                let outcome = input.rules.outcome(of: input.stream)
                let rejection = outcome.rejection.map { "\($0.reason)".prefix { $0 != "(" } }
                return [
                    outcome.frames.isEmpty ? nil : "frame",
                    outcome.found.count > outcome.frames.count ? "skipped" : nil,
                    outcome.unfinished.isEmpty ? nil : "unfinished",
                    outcome.isSkipping ? "skipping" : nil,
                    rejection.map(String.init),
                ].compactMap { $0 }
            })
    }

    private func results(_ input: CheckTarget.Input) -> [String] {
        switch input {
        case .framing: return []
        case .endpoint(let check):
            guard let endpoint = try? Endpoint(check.text) else { return ["noDescription"] }
            return [(try? endpoint.server()).map { _ in "server" }, (try? endpoint.client()).map { _ in "client" }].map { $0 ?? "refused" }
        case .proxyHeader(let check):
            switch proxyOutcome(of: check.stream) {
            case .header(let header, _): return ["\(header.version) \(header.source.map(Self.family) ?? "silent")"]
            case .refused(let error): return ["\(error.reason)".prefix { $0 != "(" }].map(String.init)
            case .unfinished: return ["unfinished"]
            }
        }
    }

    private static func family(_ address: Address) -> String {
        switch address {
        case .ipv4: "IPv4"
        case .ipv6: "IPv6"
        case .unix: "UNIX"
        case .pipe, .unknown: "unknown"
        }
    }

    @Test(arguments: [
        (CheckTarget.lineFramer, ["frame", "unfinished", "skipped", "skipping", "lineTooLong"]),
        (.lineReceiver, ["frame", "unfinished", "skipped", "lineTooLong"]),
        (.netstringFramer, ["frame", "unfinished", "badNetstringLength", "missingComma", "stringTooLong"]),
        (.netstringReceiver, ["frame", "unfinished", "badNetstringLength", "missingComma", "stringTooLong"]),
        (.lengthPrefixFramer, ["frame", "unfinished", "stringTooLong"]),
        (.lengthPrefixReceiver, ["frame", "unfinished", "stringTooLong"]),
        (.fixedSizeFramer, ["frame", "unfinished"]),
        (.framedReceiver, ["frame", "unfinished", "skipped", "lineTooLong", "badNetstringLength", "stringTooLong"]),
        (.endpoint, ["server", "client", "refused", "noDescription"]),
        (
            .proxyHeader,
            [
                "v1 IPv4", "v1 IPv6", "v1 silent", "v2 IPv4", "v2 IPv6", "v2 UNIX", "v2 silent", "unfinished", "noHeader", "badLineEnd",
                "badAddress", "badPort", "badChecksum", "truncatedTLV", "headerTooShort", "headerTooLong",
            ]
        ),
    ])
    func theCorpusHasEachKindOfResult(target: CheckTarget, expected: [String]) throws {
        let results = try results(target)
        #expect(results.isSuperset(of: expected), "\(results)")
    }
}
