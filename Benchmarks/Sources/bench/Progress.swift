import Foundation

/// What a person reads while they wait. It goes to standard error, so that standard output holds nothing but the results.
enum Progress {
    static func say(_ line: String) {
        FileHandle.standardError.write(Data((line + "\n").utf8))
    }
}
