// Gets poems from any number of servers at once, and says which task got what. Whoever is not done after ten seconds is given up.
//
//     swift run PoetryServer poem.txt 10000
//     swift run PoetryClient 10000 127.0.0.1:10001 --timeout 10

import Twill

/// Hears from every task how it ended, and stops the reactor after the last one.
final class Poetry {
    private let reactor: any Reactor
    private var tasksLeft: Int

    init(tasks: Int, on reactor: any Reactor) {
        self.reactor = reactor
        tasksLeft = tasks
    }

    func ended(_ task: Int, _ poem: [UInt8]?, _ trouble: String?) {
        if let poem { print("Task \(task): \(poem.count) bytes of poetry") }
        if let trouble { print("Task \(task) failed: \(trouble)") }
        tasksLeft -= 1
        if tasksLeft == 0 { reactor.stop() }
    }
}

final class PoemFactory: ClientFactory {
    let task: Int
    let poetry: Poetry
    let timeout: Duration

    init(task: Int, poetry: Poetry, timeout: Duration) {
        self.task = task
        self.poetry = poetry
        self.timeout = timeout
        super.init()
    }

    override func buildProtocol(_ address: Address) -> Protocol? { PoemReceiver(self) }
    override func clientConnectionFailed(_ connector: Connector, _ reason: ConnectError) { poetry.ended(task, nil, "\(reason)") }
}

final class PoemReceiver: Protocol {
    private let order: PoemFactory
    private var poem: [UInt8] = []
    private var deadline: DelayedCall?

    init(_ factory: PoemFactory) {
        order = factory
        super.init()
    }

    override func connectionMade() {
        deadline = transport.reactor.callLater(order.timeout) { [weak self] in self?.transport.abortConnection(because: .timedOut) }
    }

    override func dataReceived(_ data: Span<UInt8>) {
        print("Task \(order.task): got \(data.count) bytes of poetry from \(transport.peer)")
        poem.append(copying: data)
    }

    override func connectionLost(_ reason: ConnectionLost) {
        deadline?.cancelIfActive()
        order.poetry.ended(order.task, reason.isClean ? poem : nil, reason.isClean ? nil : "\(reason)")
    }
}

var servers = Array(CommandLine.arguments.dropFirst())
var timeout = 10.0
if let index = servers.firstIndex(of: "--timeout"), index + 1 < servers.count {
    timeout = Double(servers[index + 1]) ?? timeout
    servers.removeSubrange(index...index + 1)
}
let reactor = try LibeventReactor()
let poetry = Poetry(tasks: servers.count, on: reactor)
for (index, server) in servers.enumerated() {
    let factory = PoemFactory(task: index + 1, poetry: poetry, timeout: .seconds(timeout))
    try reactor.connect(Endpoint(server.contains(":") ? "tcp:\(server)" : "tcp:127.0.0.1:\(server)"), factory: factory)
}
if !servers.isEmpty { try reactor.run() }
