/// Why a measurement could not be made: one sentence that names the thing, its value and the remedy, and the exit status that goes with it.
struct BenchError: Error {
    let message: String
    let status: Int32

    /// A program or a part of the system that is needed is not there (EX_UNAVAILABLE).
    static func unavailable(_ message: String) -> BenchError { BenchError(message: message, status: 69) }

    /// Something that was there did not work: a server, the load tester, a call to the system (EX_SOFTWARE).
    static func failed(_ message: String) -> BenchError { BenchError(message: message, status: 70) }
}
