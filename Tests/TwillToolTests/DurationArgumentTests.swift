import Testing

@testable import TwillTool

/// Lengths of time as they are typed.
struct DurationArgumentTests {
    @Test(arguments: [
        ("10s", Duration.seconds(10)),
        ("500ms", .milliseconds(500)),
        ("2m", .seconds(120)),
        ("1.5s", .milliseconds(1500)),
        ("0.25m", .seconds(15)),
        ("7", .seconds(7)),
        ("0.5", .milliseconds(500)),
        ("0", .zero),
        ("1440m", .seconds(86_400)),
    ])
    func numberWithOrWithoutUnitIsRead(text: String, expected: Duration) throws {
        #expect(try DurationArgument(parsing: text).duration == expected)
    }

    @Test(arguments: [
        "", "s", "ms", "-1s", "+1s", "1h", "1 s", " 1s", "1s ", "1,5s", ".5s", "1.s", "1.2.3s", "1e3s", "0x10", "inf", "nan", "١s",
        "10S", "9999999999999999s",
    ])
    func anythingElseIsRefused(text: String) {
        #expect(throws: (any Error).self) { try DurationArgument(parsing: text) }
    }

    @Test(arguments: ["1441m", "86401", "86400001ms"])
    func moreThanADayIsRefused(text: String) {
        #expect(throws: (any Error).self) { try DurationArgument(parsing: text) }
    }

    @Test func descriptionCanBeReadAgain() throws {
        for text in ["10s", "0.5s", "90s"] {
            #expect(try DurationArgument(parsing: text).description == text)
        }
    }
}
