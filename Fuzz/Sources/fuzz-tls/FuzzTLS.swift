#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

// The TLS layer under libFuzzer, in a program of its own because it needs OpenSSL: as `fuzz` does, it checks one input after another. What it checks
// is in Checks, a link to what the tests check with.

@_cdecl("LLVMFuzzerTestOneInput")
func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    // libFuzzer lends the bytes for the length of the call, and they are copied.
    let bytes = unsafe Array(UnsafeBufferPointer(start: start, count: count))
    do {
        try TLSCheck.run(bytes)
    } catch {
        fatalError("tls: \(error)")
    }
    return 0
}
