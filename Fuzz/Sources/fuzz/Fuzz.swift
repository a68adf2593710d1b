#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

// Where libFuzzer comes in. Its own `main` calls `testOneInput` with one input after another, and makes new ones of those that reached code
// which no earlier one had reached. A trap, an address that the sanitizer objects to, or too much time or memory ends the program, with the
// input in a file.

/// What is fuzzed, as the argument --target=NAME says; libFuzzer passes over what begins with two dashes.
private let target: CheckTarget = {
    let option = "--target="
    let name = CommandLine.arguments.first { $0.hasPrefix(option) }?.dropFirst(option.count)
    if let target = CheckTarget(rawValue: String(name ?? "")) { return target }
    let names = CheckTarget.allCases.map(\.rawValue).joined(separator: ", ")
    print("fuzz: say what to fuzz: --target=NAME, where NAME is one of \(names)")
    exit(64)
}()

@_cdecl("LLVMFuzzerTestOneInput")
func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    // libFuzzer lends the bytes for the length of the call, and they are copied.
    let bytes = unsafe Array(UnsafeBufferPointer(start: start, count: count))
    let input = target.input(bytes)
    do {
        try target.check(input)
    } catch {
        fatalError("\(target.rawValue): \(error), with \(input)")
    }
    return 0
}
