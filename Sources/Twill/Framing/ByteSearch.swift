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

    /// The eight bytes at a position, the first one lowest; nil where the input has fewer left.
    @inline(__always)
    func word(at position: Int) -> UInt64? {
        guard position >= 0, count &- position >= 8 else { return nil }
        // All eight lie inside the span.
        return unsafe withUnsafeBytes { unsafe UInt64(littleEndian: $0.loadUnaligned(fromByteOffset: position, as: UInt64.self)) }
    }
}

extension StaticString {
    /// Lends the text's UTF-8 from where it lies in the program.
    func withSpan(_ body: (Span<UInt8>) -> Void) {
        // The text is part of the program's image and never changes; a single scalar is copied to the stack for the length of the call.
        withUTF8Buffer { unsafe body(Span(_unsafeElements: $0)) }
    }
}

extension [UInt8] {
    /// An array of bytes that are lent: what a callback's span must become to outlive it.
    public init(copying bytes: Span<UInt8>) {
        // The array copies the bytes before the loan ends.
        self = unsafe bytes.withUnsafeBufferPointer { unsafe Array($0) }
    }

    /// Adds bytes that are lent at the end.
    ///
    /// ```swift
    /// final class Listener: Protocol {
    ///     var heard: [UInt8] = []
    ///     override func dataReceived(_ data: Span<UInt8>) { heard.append(copying: data) }
    /// }
    /// ```
    public mutating func append(copying bytes: Span<UInt8>) {
        // The array copies the bytes before the loan ends.
        unsafe bytes.withUnsafeBufferPointer { unsafe append(contentsOf: $0) }
    }
}

/// The bytes that somebody up the stack is lending, for the methods that his callbacks call.
///
/// Its owner calls `end` before the loan is over, and everything between happens inside the loan: that keeps the address true.
@safe
struct LentBytes {
    private var start: UnsafeRawPointer?
    private(set) var count = 0

    /// Notes the loan.
    @inline(__always)
    mutating func lend(_ bytes: Span<UInt8>) {
        unsafe bytes.withUnsafeBytes { bytes in
            unsafe start = bytes.baseAddress
            count = bytes.count
        }
    }

    /// Forgets it.
    @inline(__always)
    mutating func end() {
        unsafe start = nil
        count = 0
    }

    /// A copy of the bytes from a position on.
    func bytes(from position: Int) -> [UInt8] {
        guard let start = unsafe start, position < count else { return [] }
        return unsafe Array(UnsafeRawBufferPointer(start: start + position, count: count - position))
    }

    /// Where these bytes begin in the loan, if they are its very end and not a copy of it.
    func position(ofSuffix bytes: Span<UInt8>) -> Int? {
        guard let start = unsafe start else { return nil }
        // Addresses are only compared, after the first check has told that the part lies inside.
        return unsafe bytes.withUnsafeBytes { part in
            guard let partStart = part.baseAddress, part.count <= count else { return nil }
            let position = count - part.count
            return unsafe start + position == partStart ? position : nil
        }
    }
}
