/// One server while connections come and go: it stays up for all slices, so that what it fails to give back adds up.
final class ChurnedServer {
    let process: ServerProcess
    /// What it held when it was ready and nobody had connected yet.
    let descriptorsBefore: Int
    private(set) var slices: [ChurnSlice] = []

    init(_ server: Server, programs: Programs, wrapper: [String]) throws {
        process = try ServerProcess(server, for: .echo64, programs: programs, wrapper: wrapper)
        descriptorsBefore = try ProcessDescriptors.count(of: process)
    }

    /// Runs one slice, waits until the last connections are closed, and reads what the server has used and what it still holds.
    func churn(_ connections: Int, with client: ChurnClient) throws -> ChurnSlice {
        let cpuBefore = try ProcessTimes.cpuMicroseconds(of: process)
        let seconds = try client.seconds(for: connections, to: process)
        try ProcessDescriptors.waitForClosing(of: process)
        let cpuAfter = try ProcessTimes.cpuMicroseconds(of: process)
        let slice = ChurnSlice(
            connectionsPerSecond: Double(connections) / seconds,
            cpuMicrosecondsPerConnection: (cpuAfter - cpuBefore) / Double(connections),
            descriptors: try ProcessDescriptors.count(of: process),
            residentBytes: try ProcessMemory.residentBytes(of: process))
        slices.append(slice)
        return slice
    }
}

/// The figures of one slice of a server's connections, the last two after it.
struct ChurnSlice: Codable {
    let connectionsPerSecond: Double
    let cpuMicrosecondsPerConnection: Double
    let descriptors: Int
    let residentBytes: Int
}
