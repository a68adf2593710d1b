import TestSupport
import Testing

@testable import Twill

@Suite("Descriptions of endpoints, taken apart", .nothingLivesOn)
struct EndpointDescriptionTests {
    /// The arguments and options of a description, and its prefix first.
    private func parts(_ text: String) throws -> (arguments: [String], options: [String: String]) {
        let parts = try EndpointDescription(text)
        return ([parts.prefix] + parts.arguments.map(\.text), parts.options.mapValues(\.text))
    }

    @Test(
        arguments: [
            ("E02", "tcp:80:interface=127.0.0.1", ["tcp", "80"], ["interface": "127.0.0.1"]),
            ("E04", #"unix:/tmp/a\:b"#, ["unix", "/tmp/a:b"], [:]),
            ("E05", "x:a=b=c", ["x"], ["a": "b=c"]),
            ("E09", #"x:k\=1=2"#, ["x"], ["k=1": "2"]),
            ("E11", "tcp::x", ["tcp", "", "x"], [:]),
            ("E11", "tcp:", ["tcp", ""], [:]),
            ("E11", "", [""], [:]),
            ("E11", ":", ["", ""], [:]),
            ("E14", "TCP:80", ["tcp", "80"], [:]),
            ("E23", "tcp:[::1]:80", ["tcp", "::1", "80"], [:]),
            ("E23", "tcp:80:interface=[::1]", ["tcp", "80"], ["interface": "::1"]),
            ("a backslash", #"x:a\\b"#, ["x", #"a\b"#], [:]),
            ("a bracket that is meant", #"x:\[a"#, ["x", "[a"], [:]),
            ("a bracket in the middle", "x:a[b]c", ["x", "a[b]c"], [:]),
            ("one inside another", #"tls:h:443:endpoint=tcp\:p\:1"#, ["tls", "h", "443"], ["endpoint": "tcp:p:1"]),
            ("an empty value", "x:a=", ["x"], ["a": ""]),
            // An accent makes one character with a colon in front of it, and the colon is one still.
            ("a value that begins with an accent", "x:\u{301}b:c", ["x", "\u{301}b", "c"], [:]),
        ])
    func isTakenApart(_ row: String, _ text: String, _ arguments: [String], _ options: [String: String]) throws {
        let found = try parts(text)
        #expect(found.arguments == arguments, "\(row)")
        #expect(found.options == options, "\(row)")
    }

    @Test(
        arguments: [
            ("E10", #"x:trail\"#, #"\"#, 7), ("E12", "x:a=b:a=c", "a", 6), ("E23", "tcp:[::1", "[::1", 4),
            ("E23", "tcp:[::1]8:80", "[::1]8:80", 4),
        ])
    func isRefusedWithThePlace(_ row: String, _ text: String, _ token: String, _ offset: Int) throws {
        let error = try #require(throws: EndpointError.self) { try EndpointDescription(text) }
        #expect((error.text, error.token, error.offset) == (text, token, offset), "\(row)")
        #expect(error.description.hasPrefix("\(text): \"\(token)\" at character \(offset) "))
    }

    @Test(
        "E13: a quoted value is read as it is",
        arguments: ["a:b", #"a\b"#, "k=v", "[x", "", "plain", #":\=[]"#, "ümläut:=", "a b", "\u{301}x", "a:\u{301}b", "=\u{FE0F}", "\r\n"])
    func quoting(_ value: String) throws {
        let found = try parts("x:\(EndpointDescription.quote(value))")
        #expect(found.arguments.map { Array($0.utf8) } == [Array("x".utf8), Array(value.utf8)])
        #expect(found.options.isEmpty)
        #expect(try parts("x:name=\(EndpointDescription.quote(value))").options == ["name": value])
    }

    @Test func anyTextIsTakenApartOrRefused() throws {
        for seed in 0..<2000 {
            var generator = SeededGenerator(seed: UInt64(seed))
            let text = String(
                (0..<Int.random(in: 0...20, using: &generator)).map { _ in
                    ":=\\[]ab1/é".randomElement(using: &generator) ?? "a"
                })
            guard let found = try? EndpointDescription(text) else { continue }
            // Written again from its parts it means the same.
            let again =
                [EndpointDescription.quote(found.prefix)] + found.arguments.map { EndpointDescription.quote($0.text) }
                + found.options.map { "\(EndpointDescription.quote($0.key))=\(EndpointDescription.quote($0.value.text))" }
            let second = try EndpointDescription(again.joined(separator: ":"))
            #expect(second.arguments.map(\.text) == found.arguments.map(\.text), "seed \(seed)")
            #expect(second.options.mapValues(\.text) == found.options.mapValues(\.text), "seed \(seed)")
        }
    }
}
