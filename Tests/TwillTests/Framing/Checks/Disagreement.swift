/// Something that a framer or a receiver did other than the rules say, in words.
struct Disagreement: Error, CustomStringConvertible {
    let description: String
}

/// Throws a disagreement where something that must hold does not.
func require(_ holds: Bool, _ what: @autoclosure () -> String) throws {
    guard holds else { throw Disagreement(description: what()) }
}
