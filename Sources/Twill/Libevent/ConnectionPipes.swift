import CLibevent

/// The two pipes between this process and a program that is to be connected to.
struct ConnectionPipes {
    /// What this process reads, and what it writes to.
    let input, output: CInt
    /// What becomes the program's standard input and output.
    let theirInput, theirOutput: CInt

    init(for executable: String) throws(ProcessError) {
        do throws(SystemError) {
            let there = try DescriptorPipe()
            do throws(SystemError) {
                let back = try DescriptorPipe()
                (theirInput, output) = (there.reading, there.writing)
                (input, theirOutput) = (back.reading, back.writing)
            } catch {
                there.close()
                throw error
            }
        } catch {
            throw ProcessError.spawning(error).of(executable, because: error)
        }
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
