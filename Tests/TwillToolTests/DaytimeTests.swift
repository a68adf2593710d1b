import Testing

@testable import TwillTool

/// The calendar of the daytime server.
struct DaytimeTests {
    @Test(arguments: [
        (0, "Thursday, January 1, 1970 00:00:00 UTC"),
        (-1, "Wednesday, December 31, 1969 23:59:59 UTC"),
        (86_399, "Thursday, January 1, 1970 23:59:59 UTC"),
        (951_782_400, "Tuesday, February 29, 2000 00:00:00 UTC"),
        (951_868_800, "Wednesday, March 1, 2000 00:00:00 UTC"),
        (1_000_000_000, "Sunday, September 9, 2001 01:46:40 UTC"),
        (1_709_210_096, "Thursday, February 29, 2024 12:34:56 UTC"),
        (1_763_695_320, "Friday, November 21, 2025 03:22:00 UTC"),
        (4_107_542_400, "Monday, March 1, 2100 00:00:00 UTC"),
        (-2_203_891_200, "Thursday, March 1, 1900 00:00:00 UTC"),
    ])
    func momentIsToldInWords(seconds: Int, expected: String) {
        #expect(Daytime.line(atUnixSeconds: seconds) == expected)
    }
}
