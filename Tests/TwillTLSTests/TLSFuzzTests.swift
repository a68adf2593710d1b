import Foundation
import TestSupport
import Testing

@testable import Twill

/// The same check that the fuzzer makes, on what it is known to trip over and on inputs of chance.
@Suite(.nothingLivesOn) struct TLSFuzzTests {
    @Test func theCorpusPasses() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let folder = root.appendingPathComponent("Fuzz/corpus-tls")
        let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
        #expect(files.count >= 5)
        for file in files { try TLSCheck.run(Array(Data(contentsOf: file))) }
    }

    @Test(arguments: 0..<60)
    func inputsOfChancePass(_ seed: UInt64) throws {
        var generator = Seeded(seed)
        let script = (0..<3 * Int.random(in: 0...6, using: &generator)).map { _ in UInt8.random(in: 0...255, using: &generator) }
        try TLSCheck.run([UInt8(seed % 20)] + script)
    }
}
