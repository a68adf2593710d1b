import TestSupport
import Testing

@testable import Twill

@Suite("Shared bytes", .nothingLivesOn)
struct SharedBytesTests {
    @Test func bytesComeFromArraysSequencesAndTexts() {
        #expect(SharedBytes([1, 2, 3]).bytes == [1, 2, 3])
        #expect(SharedBytes((1...3).lazy.map { UInt8($0) }).bytes == [1, 2, 3])
        #expect(SharedBytes("né").bytes == [0x6E, 0xC3, 0xA9])
        #expect(SharedBytes([UInt8]()).count == 0)
    }

    @Test func aSpanLendsAllOfThem() {
        let shared = SharedBytes("hello")
        #expect(shared.withSpan { Array(copying: $0) } == Array("hello".utf8))
        #expect(shared.count == 5)
    }
}
