import ChildProcess
import Foundation
import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

/// A process that runs twisted_peer.py, which says what it can be told to do; ended when this object goes.
final class TwistedPeer: Sendable {
    private let child: ChildProcess

    /// Starts the script.
    init(_ arguments: [String]) throws {
        let python = try #require(TwistedEnvironment.python)
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("twisted_peer.py").path
        child = try ChildProcess([python, script] + arguments)
    }

    /// Waits for the port that it listens on, where it was told to listen.
    func port() throws -> Int {
        try child.wait(for: "its port") { observed in
            observed.output.firstIndex(of: "\n").flatMap { Int(observed.output[..<$0]) }
        }
    }

    /// Waits for its end; the lines that it said, but for its port.
    func linesToTheEnd() throws -> [String] {
        let end = try child.waitForEnd()
        let lines = (end.output + end.errors).split(separator: "\n").map { String($0) }
        return Int(lines.first ?? "") == nil ? lines : Array(lines.dropFirst())
    }
}

/// Runs a reactor until Twisted's side has come to its end, and ours as well; the lines that Twisted's side said.
func withTwistedPeer(
    sourceLocation: SourceLocation = #_sourceLocation, _ setUp: (LibeventReactor) throws -> TwistedPeer,
    until hasEnded: @escaping () -> Bool
) throws -> [String] {
    let said = Shared<[String]>([])
    // More than the peer takes before it gives up and says why.
    try withReactor(deadline: .seconds(90), sourceLocation: sourceLocation) { reactor in
        let peer = try setUp(reactor)
        reactor.inBackground(sourceLocation: sourceLocation) {
            try peer.linesToTheEnd()
        } then: { [unowned reactor] lines in
            said.value = lines
            reactor.when(hasEnded) { reactor.stop() }
        }
    }
    return said.value
}
