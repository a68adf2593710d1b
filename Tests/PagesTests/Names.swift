import Logging
import Twill
import TwillServices
import TwillTesting

// What the code on pages takes for granted: a reactor, a connection, and small protocols that every reader can think of. A page that declares one of
// these names means its own.

// Nothing of this is ever run, so nothing needs a value.
private func given<Value>() -> Value { preconditionFailure("the code on pages is compiled, and never run") }

var reactor: LibeventReactor { given() }
var connection: Connection { given() }
var transport: Transport { given() }
var services: MultiService { given() }
var network: SimulatedNetwork { given() }
var logger: Logger { given() }
var client: AccumulatingProtocol { given() }
var members: [Greeting] { given() }
var names: [String] { given() }
var bytes: [UInt8] { given() }
var chunks: [[UInt8]] { given() }

final class Echo: Twill::Protocol {
    override func dataReceived(_ data: Span<UInt8>) { transport.write(data) }
}

final class Shout: LineReceiver {
    override func lineReceived(_ line: Span<UInt8>) { sendLine(String(repairing: line).uppercased()) }
}

final class Greeting: LineReceiver {
    override func connectionMade() { sendLine("hello") }
}

final class Parrot: LineReceiver {
    override func lineReceived(_ line: Span<UInt8>) { sendLine("you said \(String(repairing: line))") }
}

final class Chat: Factory {}

/// A client that comes back, and keeps the lines that it hears.
final class Persistent: ReconnectingClientFactory {
    var lines: [String] = []
    var connectionCount = 0
}

/// The reactor that a reader has brought along.
typealias MyReactor = LibeventReactor

let name = "example.com"
func slowLookup(_ name: String) throws -> String { name }
func lookUp(_ name: String) -> Deferred<String> { given() }
func report() {}

// What stands for the attribute `@Test(arguments:)`, which a function inside of another one can't have.
func test<Arguments: Collection & Sendable>(_ body: (Arguments.Element) async throws -> Void, with arguments: Arguments)
where Arguments.Element: Sendable {}
