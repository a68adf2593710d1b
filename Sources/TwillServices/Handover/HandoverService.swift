import Logging
import Twill

/// The giving side of a hand-over: a UNIX socket at which the next process asks for the listening sockets, and says later that it serves.
///
/// | it says   | and hears |
/// |-----------|-----------|
/// | `sockets` | `socket PLACE` for each, with the descriptor, then `end` |
/// | `ready`   | `bye`, when this process has let go of what there can be only one of |
///
/// Asking changes nothing: a next process that dies before it serves was never there. Both processes take from the same sockets around `ready`, and from
/// then on this one drains; who waits in a socket's queue is served by whoever is there. A socket that the next process does not want is closed by this
/// one, when nobody waits in it any more.
final class HandoverService: StreamServerEndpointService {
    private static let ownName = "handover"

    /// - Parameters:
    ///   - path: where the next process asks; only this user and root may.
    ///   - table: what is to be handed over.
    ///   - letGo: called when the next process serves.
    init(path: String, table: SocketTable, letGo: @escaping () -> Void) {
        let giver = GiverFactory(table: table, besides: "\(Self.ownName) unix:\(path)", letGo: letGo)
        super.init(UNIXServerEndpoint(UNIXBinding(path: path)), factory: giver, name: Self.ownName)
        giver.service = self
    }

    override var waitsForOthers: Bool { false }
}

private final class GiverFactory: Factory {
    let table: SocketTable
    /// The place of the hand-over itself.
    private let own: String
    private let letGo: () -> Void
    weak var service: HandoverService?
    private var isOver = false

    init(table: SocketTable, besides own: String, letGo: @escaping () -> Void) {
        (self.table, self.own, self.letGo) = (table, own, letGo)
        super.init()
    }

    override func buildProtocol(_ address: Address) -> Protocol? { Giver(self) }

    var entries: [SocketTable.Entry] { table.entries.filter { !$0.place.hasPrefix("\(own)#") } }

    /// The next process serves.
    func finish() {
        guard !isOver else { return }
        isOver = true
        // First the place where the next one will listen, with its file; the files of the others stay.
        service?.port?.stopListening()
        table.keepFiles()
        letGo()
    }
}

private final class Giver: LineReceiver {
    private static let patience = Duration.seconds(60)
    private let home: GiverFactory

    init(_ home: GiverFactory) {
        self.home = home
        super.init(delimiter: .lf, lengthMax: 64)
    }

    override func connectionMade() throws {
        do {
            try HandoverTrust.whoeverMayAsk.check(transport)
        } catch {
            transport.reactor.logger.warning("whoever asks for the sockets gets none: \(error)")
            return transport.loseConnection()
        }
        setTimeout(Self.patience)
    }

    override func lineReceived(_ line: Span<UInt8>) throws {
        let logger = transport.reactor.logger
        switch String(repairing: line) {
        case "sockets":
            let entries = home.entries
            logger.notice("a next process asks for \(entries.count) listening sockets")
            for entry in entries {
                let line = Array("socket \(entry.place)\n".utf8)
                try transport.write(line.span, passing: [entry.descriptor])
            }
            sendLine("end")
        case "ready":
            home.finish()
            sendLine("bye")
            transport.loseConnection()
        default: transport.loseConnection()
        }
    }
}
