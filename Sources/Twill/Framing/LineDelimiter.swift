/// What ends a line.
///
/// ```swift
/// let lines = LineReceiver(delimiter: .lf)
/// let records = LineReceiver(delimiter: ";")
/// ```
public struct LineDelimiter: Hashable, Sendable {
    /// CR LF, which the internet's text protocols use.
    public static let crlf = LineDelimiter(bytes: [13, 10])
    /// LF.
    public static let lf = LineDelimiter(bytes: [10])
    /// LF or CR LF, whichever comes, for peers that are typed by hand or can't be told. Lines are sent with CR LF.
    public static let any = LineDelimiter(bytes: [13, 10], takesLoneLineFeed: true)

    /// What is sent behind a line, and looked for behind a received one; never empty.
    public let bytes: [UInt8]
    /// Whether the last byte ends a line by itself.
    let takesLoneLineFeed: Bool

    private init(bytes: [UInt8], takesLoneLineFeed: Bool = false) {
        self.bytes = bytes
        self.takesLoneLineFeed = takesLoneLineFeed
    }

    /// A delimiter of any bytes; those that begin a line anew after a partial match cost no more than others.
    ///
    /// - Throws: ``EmptyDelimiter``.
    public init(_ bytes: some Sequence<UInt8>) throws(EmptyDelimiter) {
        let bytes = Array(bytes)
        guard !bytes.isEmpty else { throw EmptyDelimiter() }
        self.init(bytes: bytes)
    }

    /// Why a delimiter was refused.
    public struct EmptyDelimiter: Error, CustomStringConvertible {
        public var description: String { "a line's delimiter needs at least one byte, such as [10] for LF" }
    }
}

extension LineDelimiter: ExpressibleByArrayLiteral, ExpressibleByStringLiteral {
    /// A delimiter of the program's own bytes.
    ///
    /// - Precondition: there is at least one.
    public init(arrayLiteral bytes: UInt8...) {
        precondition(!bytes.isEmpty, EmptyDelimiter().description)
        self.init(bytes: bytes)
    }

    /// A delimiter of the program's own text, as UTF-8.
    ///
    /// - Precondition: it is not empty.
    public init(stringLiteral text: String) {
        precondition(!text.isEmpty, EmptyDelimiter().description)
        self.init(bytes: Array(text.utf8))
    }
}
