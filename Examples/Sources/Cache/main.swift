// How do I write a protocol of my own? A small cache: set KEY LENGTH and then the bytes, get KEY, delete KEY, quit.
//
//     swift run Cache 8007
//     printf 'set greeting 5\r\nhello\r\nget greeting\r\nquit\r\n' | nc 127.0.0.1 8007

import Twill

final class Store: Factory {
    var values: [String: [UInt8]] = [:]
    override func buildProtocol(_ address: Address) -> Protocol? { CacheProtocol(self) }
}

final class CacheProtocol: LineReceiver {
    /// What a value may have at the most.
    private static let valueBytesMax = 1 << 20

    private let store: Store
    /// The key whose value is being received, and what is there of it.
    private var key = ""
    private var value: [UInt8] = []
    private var wanted = 0

    init(_ store: Store) {
        self.store = store
        super.init()
    }

    override func lineReceived(_ line: Span<UInt8>) throws {
        let words = try String(validating: line).split(separator: " ").map(String.init)
        switch words.first {
        case "set" where words.count == 3:
            guard let length = Int(words[2]), 0...Self.valueBytesMax ~= length else { return sendLine("ERROR a length from 0 to 1048576") }
            // The value and its line's end.
            (key, value, wanted) = (words[1], [], length + 2)
            setRawMode()
        case "get" where words.count == 2:
            guard let value = store.values[words[1]] else { return sendLine("NOT_FOUND") }
            sendLine("VALUE \(value.count)")
            sendLine(value.span)
        case "delete" where words.count == 2:
            sendLine(store.values.removeValue(forKey: words[1]) == nil ? "NOT_FOUND" : "DELETED")
        case "quit" where words.count == 1: transport.loseConnection()
        default: sendLine("ERROR set KEY LENGTH, get KEY, delete KEY or quit")
        }
    }

    override func rawDataReceived(_ data: Span<UInt8>) throws {
        let count = min(wanted - value.count, data.count)
        value.append(copying: data.extracting(first: count))
        guard value.count == wanted else { return }
        if value.suffix(2) == [13, 10] {
            store.values[key] = value.dropLast(2)
            sendLine("STORED")
        } else {
            sendLine("ERROR the value does not end where it should")
            transport.loseConnection()
        }
        try setLineMode(data.extracting(droppingFirst: count))
    }
}

let port = CommandLine.arguments.dropFirst().first.flatMap(Int.init) ?? 8007
let reactor = try LibeventReactor()
let listening = try reactor.listenTCP(port: port, factory: Store(), interface: "127.0.0.1")
print("listening on tcp:\(listening.address)")
try reactor.run()
