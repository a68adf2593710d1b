// Echo servers on several reactors, as the documentation of `ReactorGroup` has them: `twill-reactors echo|line --reactors N`.

import ArgumentParser
import Foundation
import Logging
import PeerSupport
import Twill
import TwillServices

final class Echo: Twill.`Protocol` {
    override func dataReceived(_ data: Span<UInt8>) { transport.write(data) }
}

final class Lines: LineReceiver {
    override func lineReceived(_ line: Span<UInt8>) { sendLine(line) }
}

enum Mode: String, ExpressibleByArgument {
    case echo, line
}

struct TwillReactors: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Serves echo or lines on several reactors, to be measured by bench.")

    @Argument(help: "echo or line.") var mode: Mode
    @Option(help: "How many reactors.") var reactors = 1

    func run() throws {
        peer_raise_descriptor_limit()
        let mode = mode
        let logger = Logger(label: "twill-reactors") { _ in SwiftLogNoOpLogHandler() }
        let group = try ReactorGroup(count: reactors, logger: logger) { reactor, place in
            let factory = Factory { mode == .echo ? Echo() : Lines() }
            let port = try reactor.listenTCP(port: 0, factory: factory, interface: "127.0.0.1")
            if place.isFirst {
                print("listening on tcp:\(port.address)")
                fflush(nil)
            }
        }
        signal(SIGTERM) { _ in _exit(0) }
        try group.run()
    }
}

TwillReactors.main()
