import Foundation
import Testing

/// A Python with Twisted in it, made once below .build and kept there.
enum TwistedEnvironment {
    /// Its interpreter; nil where it could not be made, which is said once, with the installer's words.
    static let python: String? = {
        if made.python == nil { print("Twisted could not be installed: \(made.complaint)") }
        return made.python
    }()

    private static let made: (python: String?, complaint: String) = {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let folder = root.deletingLastPathComponent().appendingPathComponent(".build/twisted-venv").path
        let python = "\(folder)/bin/python3"
        let check = [python, "-c", "import twisted.internet.reactor, twisted.protocols.basic"]
        if let (status, _) = try? output(of: check), status == 0 { return (python, "") }
        for command in [["python3", "-m", "venv", folder], [python, "-m", "pip", "install", "--quiet", "twisted"]] {
            guard let (status, text) = try? output(of: command) else {
                return (nil, "\(command) did not run")
            }
            if status != 0 { return (nil, text) }
        }
        return (python, "")
    }()
}

extension Trait where Self == ConditionTrait {
    /// Runs a test only where Twisted is there or could be installed: PyPI can't be reached from every machine, nor has each one Python.
    static var needsTwisted: Self {
        .enabled("Twisted is not installed, and could not be") { TwistedEnvironment.python != nil }
    }
}
