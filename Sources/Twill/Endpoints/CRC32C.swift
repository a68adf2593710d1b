/// The checksum CRC32c (Castagnoli), as RFC 4960 describes it in its appendix B: what a PROXY header of version 2 may carry.
///
/// A table of 256 entries and one look-up a byte: a header has some fifty bytes, and comes once in a connection.
struct CRC32C {
    private static let table: [UInt32] = (0..<256).map { index in
        (0..<8).reduce(UInt32(index)) { remainder, _ in
            remainder & 1 == 0 ? remainder >> 1 : remainder >> 1 ^ 0x82F6_3B78
        }
    }

    private var remainder = UInt32.max

    /// Takes one byte in.
    mutating func add(_ byte: UInt8) {
        remainder = remainder >> 8 ^ Self.table[Int(UInt8(truncatingIfNeeded: remainder) ^ byte)]
    }

    /// The checksum of the bytes so far.
    var value: UInt32 { ~remainder }

    /// The checksum of bytes of which some count as zeros: a header's own checksum was not there yet when it was computed.
    static func checksum(of bytes: [UInt8], zeroing zeros: Range<Int>) -> UInt32 {
        var checksum = CRC32C()
        for (index, byte) in bytes.enumerated() {
            checksum.add(zeros.contains(index) ? 0 : byte)
        }
        return checksum.value
    }
}
