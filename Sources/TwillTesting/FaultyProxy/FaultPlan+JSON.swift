import Foundation
import Twill

extension FaultPlan {
    /// Reads a plan from JSON that holds the rows one wants; the others are those of ``none``.
    ///
    /// ```json
    /// { "splits": 300000, "resets": 1000, "slownessMax": 2.5, "cut": { "offset": 17, "ending": "reset" } }
    /// ```
    ///
    /// The rows have the names of the plan's properties: how often in a million, `slownessMax` in seconds, and `cut`, whose ending is `end`, `reset` or
    /// `vanish`. What `JSONEncoder` makes of a plan is read too.
    ///
    /// - Throws: ``FaultPlanError``, which says in a sentence what is wrong.
    public init(json text: String) throws {
        do {
            self = try JSONDecoder().decode(FaultPlanRows.self, from: Data(text.utf8)).plan
        } catch let error as FaultPlanError {
            throw error
        } catch DecodingError.typeMismatch(_, let context) where context.codingPath.isEmpty {
            throw FaultPlanError(description: "a fault plan is a JSON object, as in { \"resets\": 1000 }")
        } catch DecodingError.dataCorrupted(let context) where context.codingPath.isEmpty {
            throw FaultPlanError(description: "the fault plan is no JSON: write an object, as in { \"resets\": 1000 }")
        }
    }
}

/// A fault plan that can't be read.
public struct FaultPlanError: Error, CustomStringConvertible, Sendable {
    /// What is wrong, in a sentence.
    public let description: String
}

/// The rows of a plan as JSON has them.
private struct FaultPlanRows: Decodable {
    private struct Key: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }

        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    private static let rates: [(name: String, row: any WritableKeyPath<FaultPlan, Int> & Sendable)] = [
        ("refusals", \.refusals), ("hangs", \.hangs), ("slowConnects", \.slowConnects), ("earlyResets", \.earlyResets),
        ("byteByByte", \.byteByByte), ("splits", \.splits), ("stalls", \.stalls), ("ends", \.ends), ("resets", \.resets),
        ("vanishes", \.vanishes), ("zeroWindows", \.zeroWindows), ("losses", \.losses), ("duplicates", \.duplicates),
        ("reorderings", \.reorderings), ("unknownNames", \.unknownNames), ("slowNames", \.slowNames),
        ("descriptorShortages", \.descriptorShortages), ("crashes", \.crashes), ("blackouts", \.blackouts),
        ("terminations", \.terminations), ("clockSteps", \.clockSteps),
    ]

    var plan = FaultPlan.none

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        for key in container.allKeys.sorted(by: { $0.stringValue < $1.stringValue }) {
            let name = key.stringValue
            if let (_, row) = Self.rates.first(where: { $0.name == name }) {
                guard let rate = try? container.decode(Int.self, forKey: key), 0...1_000_000 ~= rate else {
                    throw FaultPlanError(description: "\"\(name)\" is how often in a million: a whole number from 0 to 1000000")
                }
                plan[keyPath: row] = rate
            } else if name == "slownessMax" {
                plan.slownessMax = try Self.slowness(container, key)
            } else if name == "cut" {
                if (try? container.decodeNil(forKey: key)) == true { continue }
                guard let cut = try? container.decode(FaultPlan.Cut.self, forKey: key), cut.offset >= 0 else {
                    throw FaultPlanError(
                        description:
                            "\"cut\" is an object, as in { \"offset\": 17, \"ending\": \"reset\" }; endings are end, reset and vanish")
                }
                plan.cut = cut
            } else {
                let names = Self.rates.map(\.name) + ["slownessMax"]
                throw FaultPlanError(
                    description: "\"\(name)\" is no row of a fault plan; there are \(names.joined(separator: ", ")) and cut")
            }
        }
    }

    private static func slowness(_ container: KeyedDecodingContainer<Key>, _ key: Key) throws -> Duration {
        if let seconds = try? container.decode(Double.self, forKey: key), 0...86_400 ~= seconds { return .seconds(seconds) }
        if let duration = try? container.decode(Duration.self, forKey: key), duration >= .zero { return duration }
        throw FaultPlanError(description: "\"slownessMax\" is a number of seconds from 0 to 86400, as in 2.5")
    }
}
