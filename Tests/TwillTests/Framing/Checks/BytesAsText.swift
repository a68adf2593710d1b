/// Bytes as text, one character a byte, so that anything can be written in an expectation.
func text(_ bytes: Span<UInt8>) -> String {
    var text = ""
    for index in bytes.indices {
        text.unicodeScalars.append(Unicode.Scalar(bytes[index]))
    }
    return text
}

/// Text as bytes, one byte a character.
func bytes(_ text: String) -> [UInt8] {
    text.unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) }
}
