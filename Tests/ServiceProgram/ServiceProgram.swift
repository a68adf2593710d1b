import ArgumentParser
import Foundation
import Logging
import Twill
import TwillServices
import TwillTLS

/// The program that the tests of the runner start: a server of lines that says which process and reactor it runs on, and can be slow.
@main struct ServiceProgram: Application {
    static var name: String { "probe" }

    @Option(help: "Where to listen.")
    var listen = ["tcp:127.0.0.1:0"]

    @Option(
        help:
            "What goes wrong: a service that fails to start, on the first reactor or the last, one that never stops, or one that ends the process at once."
    )
    var fail = ""

    @Option(help: "A UDP port whose datagrams come back with the number of the process.")
    var udp: Int?

    @Option(help: "A file that is read at the start and at each reload.")
    var table: String?

    func addServices(to services: MultiService) throws {
        TLS.registerEndpoints()
        let place = services.place
        let table = try table.map { try services.add(Table($0)) }
        for endpoint in listen {
            let server = try StreamServerEndpointService(endpoint, factory: Factory { Line(place, table) })
            try services.add(server)
        }
        if let udp { try services.add(UDPServer(port: udp, interface: "127.0.0.1", name: "datagrams") { Datagrams() }) }
        switch fail {
        case "start" where place.isFirst: try services.add(ActionService { throw RunnerFailure(.configuration, "There is no table") })
        case "last" where place.number == place.count - 1:
            try services.add(
                ActionService {
                    // The others have started by then.
                    usleep(300_000)
                    throw RunnerFailure(.configuration, "There is no last table")
                })
        case "second":
            try services.add(BoundNote())
            if !place.isFirst { throw RunnerFailure(.configuration, "There is no second table") }
        case "crash": try services.add(ActionService { fatalError("it was asked to crash") })
        case "stop":
            try services.add(ActionService(start: {}, stop: { () -> Deferred<Void>? in Deferred<Void>() }))
        default: break
        }
    }
}

/// Says what is asked of it.
private final class BoundNote: Service {
    override func privilegedStartService() throws { reactor.logger.notice("table opened") }
    override func startService() throws { reactor.logger.notice("table served") }
    override func stopService() throws -> Deferred<Void>? {
        reactor.logger.notice("table closed")
        return nil
    }
}

private final class Datagrams: DatagramProtocol {
    override func datagramReceived(_ data: Span<UInt8>, from sender: Address) throws {
        var answer = Array("\(getpid()) ".utf8)
        answer.append(copying: data)
        try transport.write(answer.span, to: sender)
    }
}

/// The text of a file.
private final class Table: Service {
    private(set) var text = ""
    private let path: String

    init(_ path: String) {
        self.path = path
        super.init(name: "table")
    }

    override func startService() throws { text = try String(contentsOfFile: path, encoding: .utf8) }
    override func reloadService() throws { text = try String(contentsOfFile: path, encoding: .utf8) }
}

/// `reactor` is answered with its number, `table` with the table's text, `slow SECONDS` after so many seconds, `block` keeps the reactor from all else, `stop` stops it, `log` writes to
/// the log, and all else comes back.
private final class Line: LineReceiver {
    private let place: ReactorPlace
    private let table: Table?
    private var underWay = 0

    init(_ place: ReactorPlace, _ table: Table?) {
        (self.place, self.table) = (place, table)
        super.init(delimiter: .lf)
    }

    override var isBusy: Bool { underWay > 0 || super.isBusy }

    override func lineReceived(_ line: Span<UInt8>) throws {
        let words = try String(validating: line).split(separator: " ")
        switch words.first {
        case "reactor": sendLine("\(place.number)")
        case "table": sendLine(table?.text ?? "")
        case "log":
            transport.reactor.logger.warning("\(words.dropFirst().joined(separator: " "))", metadata: ["peer": "a \"client\""])
            sendLine("logged")
        case "block":
            usleep(1_500_000)
            sendLine("unblocked")
        case "stop":
            sendLine("stopping")
            transport.reactor.stop()
        case "slow":
            underWay += 1
            transport.callLater(.seconds(words.last.flatMap { Double($0) } ?? 0)) {
                self.underWay -= 1
                self.sendLine("done")
            }
        default: sendLine(line)
        }
    }
}
