import Foundation

/// Standard output and standard error, unbuffered: a line that was said is there, even where the reader is another process.
///
/// What can't be written because nobody reads it any more is dropped: a server goes on without its terminal.
enum Output {
    /// Writes a line to standard output.
    static func say(_ line: String) {
        write("\(line)\n", to: .standardOutput)
    }

    /// Writes a line to standard error.
    static func complain(_ line: String) {
        write("\(line)\n", to: .standardError)
    }

    /// Shows a line on the terminal behind standard error, in place of the one shown before; an empty one takes it away.
    static func showProgress(_ line: String) {
        write("\r\u{1B}[K\(line)", to: .standardError)
    }

    /// Whether standard error is a terminal, on which a line that changes can be read.
    static var hasTerminal: Bool { isatty(STDERR_FILENO) == 1 }

    private static func write(_ text: String, to file: FileHandle) {
        try? file.write(contentsOf: Data(text.utf8))
    }
}
