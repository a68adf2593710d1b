// An echo by TLS, to be measured by `bench`: by callbacks, and by tasks.
import ArgumentParser
import Foundation
import PeerSupport
import Twill
import TwillTLS

final class Echo: Protocol {
    override func dataReceived(_ data: Span<UInt8>) { transport.write(data) }
}

enum Mode: String, CaseIterable, ExpressibleByArgument {
    case callbacks, tasks
}

struct TwillTLSServer: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "twill-tls", abstract: "Sends back every byte by TLS, to be measured by bench.")

    @Argument(help: ArgumentHelp("By what the bytes come back: callbacks or tasks.", valueName: "mode"))
    var mode = Mode.callbacks

    @Option(help: "The certificate's file.")
    var cert: String

    @Option(help: "The key's file.")
    var key: String

    func run() throws {
        peer_raise_descriptor_limit()
        TLS.registerEndpoints()
        let reactor = try LibeventReactor()
        let address: Address
        switch mode {
        case .callbacks:
            let factory = TLSServerFactory(
                wrapping: Factory { Echo() }, context: try TLSServerContext(certificateFile: cert, keyFile: key))
            address = try reactor.listenTCP(port: 0, factory: factory, interface: "127.0.0.1").address
        case .tasks:
            let endpoint = "tls:127.0.0.1:0:cert=\(EndpointDescription.quote(cert)):key=\(EndpointDescription.quote(key))"
            address = try reactor.listen(endpoint) { connection in
                for try await chunk in connection.chunks { try await connection.write(chunk) }
            }.address
        }
        reactor.callWhenRunning { FileHandle.standardOutput.write(Data("listening on tcp:\(address)\n".utf8)) }
        try reactor.run()
    }
}

TwillTLSServer.main()
