import Foundation
import Testing
import TwillTesting

@Suite("Fault plans as JSON")
struct FaultPlanJSONTests {
    @Test func theRowsThatAreThereAreRead() throws {
        let plan = try FaultPlan(
            json: #"{ "splits": 300000, "resets": 1000, "slownessMax": 2.5, "cut": { "offset": 17, "ending": "reset" } }"#)
        var expected = FaultPlan.none
        expected.splits = 300_000
        expected.resets = 1_000
        expected.slownessMax = .seconds(2.5)
        expected.cut = FaultPlan.Cut(at: 17, by: .reset)
        #expect(plan == expected)
        #expect(try FaultPlan(json: "{}") == .none)
        #expect(try FaultPlan(json: #"{ "cut": null }"#) == .none)
    }

    @Test(arguments: [FaultPlan.none, .mild, .swarm(seed: 1), .swarm(seed: 2), .swarm(seed: 3)])
    func whatAPlanIsWrittenAsIsRead(plan: FaultPlan) throws {
        var plan = plan
        plan.cut = FaultPlan.Cut(at: 3, by: .vanish)
        let text = String(decoding: try JSONEncoder().encode(plan), as: UTF8.self)
        #expect(try FaultPlan(json: text) == plan)
    }

    @Test func everyRowOfTheFaultsHasItsName() throws {
        for fault in Fault.allCases where fault != .cut && fault != .buggify {
            let plan = try FaultPlan(json: "{ \"\(fault.rawValue)\": 5 }")
            #expect(plan != .none, "\(fault)")
            let written = try JSONSerialization.jsonObject(with: JSONEncoder().encode(plan)) as? [String: Any]
            #expect(written?[fault.rawValue] as? Int == 5, "\(fault)")
        }
    }

    @Test(arguments: [
        (#"{ "reset": 1 }"#, #""reset" is no row of a fault plan; there are refusals, hangs, slowConnects"#),
        (#"{ "resets": -1 }"#, #""resets" is how often in a million: a whole number from 0 to 1000000"#),
        (#"{ "resets": 1000001 }"#, #""resets" is how often"#), (#"{ "resets": 1.5 }"#, #""resets" is how often"#),
        (#"{ "resets": "all" }"#, #""resets" is how often"#), (#"{ "slownessMax": -1 }"#, #""slownessMax" is a number of seconds"#),
        (#"{ "slownessMax": 86401 }"#, #""slownessMax" is a number of seconds"#), (#"{ "cut": 17 }"#, #""cut" is an object"#),
        (#"{ "cut": { "offset": 17, "ending": "bang" } }"#, "endings are end, reset and vanish"),
        (#"{ "cut": { "offset": -1, "ending": "end" } }"#, #""cut" is an object"#), ("[]", "a fault plan is a JSON object"),
        ("resets: 1", "the fault plan is no JSON"), ("", "the fault plan is no JSON"),
    ])
    func whatIsWrongIsSaid(text: String, sentence: String) {
        let error = #expect(throws: FaultPlanError.self) { try FaultPlan(json: text) }
        #expect(error?.description.contains(sentence) == true, "\(error as Any)")
    }
}
