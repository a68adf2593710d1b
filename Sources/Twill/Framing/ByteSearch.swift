#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

// The few places outside of libevent's folder that touch memory by address: searching bytes with the system's own routine, which is many
// times faster than a loop, and lending memory that Swift has no safe way to lend yet.

extension Span<UInt8> {
    /// The position of the first such byte at or after `start`, or nil.
    @inline(__always)
    func firstPosition(of byte: UInt8, from start: Int) -> Int? {
        // The search stays between `start` and `count`, both inside the memory that the span borrows for the length of this call.
        unsafe withUnsafeBufferPointer { bytes in
            guard start < bytes.count, let base = bytes.baseAddress else { return nil }
            guard let found = unsafe memchr(base + start, CInt(byte), bytes.count - start) else { return nil }
            return unsafe UnsafeRawPointer(base).distance(to: found)
        }
    }
}

extension StaticString {
    /// Lends the text's UTF-8 from where it lies in the program.
    func withSpan(_ body: (Span<UInt8>) -> Void) {
        // The text is part of the program's image and never changes; a single scalar is copied to the stack for the length of the call.
        withUTF8Buffer { unsafe body(Span(_unsafeElements: $0)) }
    }
}
