import Foundation

/// The computer that a load was measured on, in words.
struct Machine: Codable, Equatable {
    let processor: String
    let cores: Int
    let memoryGigabytes: Double
    let system: String

    /// This one.
    static var current: Machine {
        let info = ProcessInfo.processInfo
        return Machine(
            processor: processorName ?? "unknown", cores: info.activeProcessorCount,
            memoryGigabytes: (Double(info.physicalMemory) / 1_000_000_000 * 10).rounded() / 10, system: info.operatingSystemVersionString)
    }

    /// What Linux calls the first processor.
    private static var processorName: String? {
        guard let text = try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8) else { return nil }
        let line = text.split(separator: "\n").first { $0.hasPrefix("model name") }
        return line?.split(separator: ":", maxSplits: 1).last.map { $0.trimmingCharacters(in: .whitespaces) }
    }
}
