import Foundation
import TestSupport
import Testing
import TwillTesting

@testable import Twill
@testable import TwillTLS

/// What every stream connection and every reactor promises holds over TLS, too: the exported suite, on TLS over TCP, UNIX sockets and a simulated
/// network.
@Suite(.nothingLivesOn) struct TLSConformanceTests {
    /// What is below TLS.
    enum Below: String, CaseIterable, CustomTestStringConvertible, Sendable {
        case tcp = "TCP"
        case unix = "UNIX"
        case simulated = "simulated TCP"

        var testDescription: String { rawValue }
    }

    private static let contexts = Result { (server: try TLSServerContext.test(), client: try TLSClientContext.test()) }

    /// Connections whose factory is asked before the first byte of a protocol's can be sent; an end that was not said is a loss, as a reset is.
    private static func subject(_ below: Below) -> ConformanceSubject {
        var subject = ConformanceSubject(
            abilities: below == .unix ? [.dialling, .resets] : [.dialling, .names, .resets],
            makeReactor: { logger in
                if below == .simulated { return SimulatedReactor(logger: logger) }
                return try LibeventReactor(logger: logger)
            },
            listen: { reactor, factory, options in
                let factory = TLSServerFactory(wrapping: factory, context: try contexts.get().server)
                if below == .unix {
                    return try reactor.listenUNIX(path: "/tmp/twill-tls-\(UUID().uuidString).sock", factory: factory, options: options)
                }
                return try reactor.listenTCP(port: 0, factory: factory, interface: "127.0.0.1", options: options)
            },
            connect: { reactor, port, factory, options in
                let factory = TLSClientFactory(wrapping: factory, context: try contexts.get().client, serverName: "localhost")
                if below == .unix { return try reactor.connectUNIX(path: port.address.host, factory: factory, options: options) }
                return try reactor.connectTCP(host: "127.0.0.1", port: Int(port.address.port ?? 0), factory: factory, options: options)
            })
        subject.leftover = { reactor in
            (reactor as? LibeventReactor)?.openCount ?? 0 == 0 ? nil : "sockets are open when the reactor has stopped"
        }
        return subject
    }

    /// Cases that count the bytes on the wire, of which TLS has more; their promises are tested in this target by themselves. By the beginnings of their
    /// names.
    private static let exceptions = [
        "P01: a push producer is paused above the high mark", "P10: a producer that writes too much when it is resumed",
        "P12: a large write leaves at once", "P12: what a callback writes leaves when the callback returns",
        "T12: what is written after closing one's own half is dropped", "T13: nothing is delivered until reading is resumed",
        "what was written right before the stop still leaves",
    ]

    private static let promises = ReactorConformance.all.filter { promise in !exceptions.contains { promise.name.hasPrefix($0) } }

    @Test(arguments: promises, Below.allCases)
    func thePromiseHolds(_ promise: ConformanceCase, over below: Below) throws {
        // The end that TLS does not say is a loss on UNIX sockets, too; but they know no reset, which this one asks the system for.
        guard below != .unix || !promise.name.hasPrefix("T05: aborting drops what was written and resets") else { return }
        try promise.run(on: Self.subject(below))
    }

    @Test func theExceptionsAreFew() {
        #expect(ReactorConformance.all.count - Self.promises.count <= 12)
        for name in Self.exceptions { #expect(ReactorConformance.all.contains { $0.name.hasPrefix(name) }, "\(name)") }
    }
}
