import CLibevent

/// The two pipes between this process and a program that is to be connected to.
struct ConnectionPipes {
    /// What this process reads, and what it writes to.
    let input, output: CInt
    /// What becomes the program's standard input and output.
    let theirInput, theirOutput: CInt

    init(for executable: String) throws(ProcessError) {
        (theirInput, output) = try Self.make(executable)
        do throws(ProcessError) {
            (input, theirOutput) = try Self.make(executable)
        } catch {
            systemClose(theirInput)
            systemClose(output)
            throw error
        }
    }

    private static func make(_ executable: String) throws(ProcessError) -> (reading: CInt, writing: CInt) {
        var (reading, writing): (CInt, CInt) = (-1, -1)
        // The call fills two numbers of this frame's own.
        guard unsafe twill_pipe(&reading, &writing) == 0 else {
            let error = SystemError(call: "pipe")
            throw ProcessError.spawning(error).of(executable, because: error)
        }
        return (reading, writing)
    }

    func closeTheirs() {
        systemClose(theirInput)
        systemClose(theirOutput)
    }

    func closeAll() {
        closeTheirs()
        systemClose(input)
        systemClose(output)
    }
}
