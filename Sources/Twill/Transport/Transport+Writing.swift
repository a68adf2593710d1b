extension Transport {
    /// Sends an array's bytes, without copying the array first.
    public final func write(_ bytes: [UInt8]) {
        let data = bytes.span
        write(data)
    }

    /// Sends a text as UTF-8.
    public final func write(_ text: String) {
        let utf8 = text.utf8Span
        let data = utf8.span
        write(data)
    }

    /// Sends a text that is part of the program, straight from where it lies.
    ///
    /// A bare literal is a `String`; this one is taken where the type says so: `static let greeting: StaticString = "hello\r\n"`.
    public final func write(_ text: StaticString) {
        text.withSpan { write($0) }
    }

    /// Sends the bytes of any sequence.
    public final func write(_ bytes: some Sequence<UInt8>) {
        write(Array(bytes))
    }

    /// Sends several pieces one after another; they leave together, as with one write. Twisted: `ITransport.writeSequence`.
    public final func writeSequence(_ pieces: some Sequence<[UInt8]>) {
        for piece in pieces {
            write(piece)
        }
    }

    /// Sends a line and CR LF, in one write. A CR LF inside the line is not looked for.
    public final func writeLine(_ line: Span<UInt8>) {
        writeFrame(prefix: .none, body: line, suffix: .crlf)
    }

    /// Sends a netstring, in one write.
    public final func writeNetstring(_ string: Span<UInt8>) {
        if let length = FrameEdge(decimal: string.count, then: UInt8(ascii: ":")) {
            writeFrame(prefix: length, body: string, suffix: FrameEdge(bigEndian: UInt8(ascii: ",")))
        } else {
            var bytes: [UInt8] = []
            NetstringFramer().encode(string, into: &bytes)
            write(bytes)
        }
    }
}
