import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

/// A connection that changes its protocol. What holds for each kind of connection is in the conformance suite.
@Suite("Handing a connection over", .nothingLivesOn)
final class HandOverTests {
    private struct Broken: Error {}

    private let reactor = VirtualReactor()
    private let next = Recorder()

    deinit { reactor.end() }

    /// A connection that a receiver of the kind serves, which hands it over at the frame `h`.
    private func connection(_ kind: FramingKind, to next: Twill::Protocol) throws -> (any ScriptedReceiver, VirtualTransport) {
        let first = try kind.receiver { receiver, frame in
            if frame == "h" { try receiver.handOver(to: next) }
        }
        let transport = VirtualTransport(reactor)
        transport.connect(first)
        return (first, transport)
    }

    @Test("what a receiver has not read goes to the next one, in order and once, however it is cut", arguments: FramingKind.allCases)
    func unreadBytes(_ kind: FramingKind) throws {
        let rest = kind.wire("b", "c") + "half"
        for chunks in everySplit(of: kind.wire("a", "h") + rest) {
            let next = Recorder()
            let (first, transport) = try connection(kind, to: next)
            for chunk in chunks { transport.say(chunk) }
            #expect(first.heard == [kind.heard("a"), kind.heard("h")])
            #expect(first.unreadBytes == [])
            #expect(next.received == bytes(rest))
            #expect(next.events.first == .made)
            #expect(next.events.count { $0 == .made } == 1)
            transport.lose(.lost)
            #expect(next.events.last == .lost(.lost))
            #expect(next.lossCount == 1)
            #expect(first.script.unreadAtTheEnd == nil, "it hears no connectionLost")
        }
    }

    @Test("lines may be followed by frames of any kind, and these by lines", arguments: FramingKind.allCases)
    func fromKindToKind(_ kind: FramingKind) throws {
        let input = FramingKind.lines.wire("a", "h") + kind.wire("x", "h") + FramingKind.lines.wire("y", "z")
        for chunks in everySplit(of: input) {
            let last = try FramingKind.lines.receiver()
            let middle = try kind.receiver { receiver, frame in if frame == "h" { try receiver.handOver(to: last) } }
            let (first, transport) = try connection(.lines, to: middle)
            for chunk in chunks { transport.say(chunk) }
            #expect(first.heard == ["line(a)", "line(h)"])
            #expect(middle.heard == ["x", "h"].map(kind.heard))
            #expect(last.heard == ["line(y)", "line(z)"])
        }
    }

    @Test("bytes that came while a callback ran go along, behind the rest of the input")
    func reentrantBytes() throws {
        let first = try FramingKind.netstrings.receiver { [next] receiver, frame in
            guard frame == "h" else { return }
            try receiver.feed("behind")
            try receiver.handOver(to: next)
            try receiver.feed("too late")
        }
        let transport = VirtualTransport(reactor)
        transport.connect(first)
        transport.say("1:a,1:h,rest ")
        #expect(next.text == "rest behind")
        #expect(next.pieces.count == 1)
    }

    @Test("outside of a callback the beginning of a frame goes along", arguments: FramingKind.allCases)
    func betweenTwoReads(_ kind: FramingKind) throws {
        for (beginning, _) in FramerSample("", kind.alone, kind.wire("hello")).cuts.dropLast() {
            let next = Recorder()
            let (first, transport) = try connection(kind, to: next)
            transport.say(kind.wire("a"))
            transport.say(beginning)
            try first.handOver(to: next)
            #expect(next.received == bytes(beginning))
            #expect(next.events.first == .made)
            transport.say("more")
            #expect(next.received == bytes(beginning + "more"))
            #expect(first.heard == [kind.heard("a")])
        }
    }

    @Test("what a pause held back goes along at once, and the pause stays the connection's")
    func paused() throws {
        let (first, transport) = try connection(.lines, to: next)
        first.pauseProducing()
        try first.feed("a\r\nb\r\nhal")
        try first.handOver(to: next)
        #expect(first.heard == [])
        #expect(next.text == "a\r\nb\r\nhal")
        #expect(transport.isPaused)
        next.transport.resumeProducing()
        transport.say("f")
        #expect(next.text == "a\r\nb\r\nhalf")
    }

    @Test("an empty rest makes no call")
    func nothingUnread() throws {
        let (_, transport) = try connection(.lines, to: next)
        transport.say("h\r\n")
        #expect(next.events == [.made])
    }

    @Test("whoever takes over may hand on from connectionMade: the bytes go to the last one")
    func handingOnAtOnce() throws {
        let (middle, last) = (Recorder(), Recorder())
        middle.whenMade = { try $0.handOver(to: last, unread: []) }
        let (_, transport) = try connection(.lines, to: middle)
        transport.say("h\r\nrest")
        #expect(middle.events == [.made])
        #expect(last.events == [.made, .data("rest")])
        transport.say("more")
        transport.lose(.lost)
        #expect(middle.events == [.made])
        #expect(last.events == [.made, .data("rest"), .data("more"), .lost(.lost)])
        // The same by a receiver, which has read nothing yet.
        let receiver = Immediate(to: next)
        let (_, other) = try connection(.lines, to: receiver)
        other.say("h\r\nrest")
        #expect(next.events == [.made, .data("rest")])
    }

    /// Hands over as soon as it is connected.
    private final class Immediate: LineReceiver {
        private let next: Twill::Protocol
        init(to next: Twill::Protocol) {
            self.next = next
            super.init()
        }
        override func connectionMade() throws { try handOver(to: next) }
    }

    @Test("a protocol may hand its connection over from its own connectionMade")
    func fromConnectionMade() throws {
        let transport = VirtualTransport(reactor)
        transport.connect(Immediate(to: next))
        transport.say("hello")
        transport.lose()
        #expect(next.events == [.made, .data("hello"), .lost(.lost)])
    }

    @Test("who has handed over can't do so again")
    func twice() throws {
        let other = Recorder()
        let first = Recorder()
        let transport = VirtualTransport(reactor)
        transport.connect(first)
        try first.handOver(to: next, unread: bytes("a"))
        try first.handOver(to: other, unread: bytes("b"))
        transport.say("c")
        #expect(next.events == [.made, .data("a"), .data("c")])
        #expect(other.events == [])
    }

    @Test("a plain protocol may get the connection back")
    func backAgain() throws {
        let first = Recorder()
        let transport = VirtualTransport(reactor)
        transport.connect(first)
        next.whenData = { try $0.handOver(to: first, unread: bytes("and back")) }
        try first.handOver(to: next, unread: bytes("there"))
        #expect(next.events == [.made, .data("there")])
        #expect(first.events == [.made, .made, .data("and back")])
        // From connectionMade, too.
        let middle = Recorder()
        middle.whenMade = { try $0.handOver(to: first, unread: []) }
        try first.handOver(to: middle, unread: bytes("again"))
        transport.lose()
        #expect(middle.events == [.made])
        #expect(first.events.suffix(3) == [.made, .data("again"), .lost(.lost)])
    }

    @Test("the old one's timeout is taken back, and the new one's begins")
    func timeouts() throws {
        let first = Recorder()
        let transport = VirtualTransport(reactor)
        transport.connect(first)
        first.setTimeout(.seconds(1))
        next.setTimeout(.seconds(10))
        try reactor.advance(by: .milliseconds(900))
        try first.handOver(to: next, unread: [])
        #expect(first.setTimeout(nil) == nil)
        try reactor.advance(by: .milliseconds(9900))
        #expect(transport.state == .connected)
        try reactor.advance(by: .milliseconds(200))
        #expect(next.events == [.made, .lost(.timedOut)])
        #expect(first.events == [.made])
    }

    @Test("what its callbacks throw is thrown on, and is the reason", arguments: [false, true])
    func errors(fromConnectionMade: Bool) throws {
        for kind in FramingKind.allCases {
            let next = Recorder()
            if fromConnectionMade { next.whenMade = { _ in throw Broken() } } else { next.whenData = { _ in throw Broken() } }
            let (first, transport) = try connection(kind, to: next)
            transport.say(kind.wire("a", "h") + "rest")
            try reactor.advance(by: .zero)
            #expect(next.events == (fromConnectionMade ? [.made, .lost(.failed)] : [.made, .data("rest"), .lost(.failed)]))
            #expect(next.reason?.underlying is Broken)
            #expect(first.script.unreadAtTheEnd == nil)
        }
        let first = Recorder()
        let transport = VirtualTransport(reactor)
        transport.connect(first)
        if fromConnectionMade { next.whenMade = { _ in throw Broken() } } else { next.whenData = { _ in throw Broken() } }
        #expect(throws: Broken.self) { try first.handOver(to: next, unread: bytes("a")) }
    }

    @Test("after the loss it does nothing, and the unread bytes stay where they are")
    func afterTheLoss() throws {
        for kind in FramingKind.allCases {
            let (first, transport) = try connection(kind, to: next)
            let beginning = text(Array(bytes(kind.wire("hello")).dropLast()).span)
            transport.say(beginning)
            transport.lose()
            #expect(first.script.unreadAtTheEnd == bytes(beginning))
            try first.handOver(to: next)
            #expect(first.unreadBytes == bytes(beginning))
        }
        let recorder = Recorder()
        recorder.whenLost = { [next] recorder, _ in try recorder.handOver(to: next, unread: bytes("a")) }
        let transport = VirtualTransport(reactor)
        transport.connect(recorder)
        transport.lose()
        #expect(recorder.lossCount == 1)
        #expect(next.events == [])
    }

    @Test("so it is where there is no connection at all")
    func withoutConnection() throws {
        let lines = LineReceiver()
        try lines.feed("half")
        try lines.handOver(to: next)
        try next.handOver(to: lines, unread: bytes("a"))
        #expect(next.events == [])
        #expect(lines.unreadBytes == bytes("half"))
    }

    @Test("a connection that is closing delivers nothing more, but has somebody who hears of its end")
    func closing() throws {
        let (first, transport) = try connection(.lines, to: next)
        transport.say("a\r\nhalf")
        first.transport.loseConnection()
        try first.handOver(to: next)
        try reactor.advance(by: .zero)
        #expect(next.events == [.made, .lost(.done)])
        #expect(first.script.unreadAtTheEnd == nil)
        _ = transport
    }

    @Test("the next one gets the factory, and the same transport")
    func factory() throws {
        let factory = Factory { Recorder() }
        let transport = try reactor.connection(to: factory)
        let first = try #require(try factory.protocolForConnection(from: .unknown))
        let other = VirtualTransport(reactor)
        other.connect(first)
        try first.handOver(to: next, unread: [])
        #expect(next.factory === factory)
        #expect(next.transport === other)
        _ = transport
    }

    @Test("inside of policies only the innermost one is replaced, and these go on")
    func insidePolicies() throws {
        final class Counted: ProtocolWrapper {
            var bytes = 0
            var losses = 0
            override func dataReceived(_ data: Span<UInt8>) throws {
                bytes += data.count
                try super.dataReceived(data)
            }
            override func connectionLost(_ reason: ConnectionLost) throws {
                losses += 1
                try super.connectionLost(reason)
            }
        }
        final class Written: ProtocolWrapper {
            var count = 0
            override func connectionMade() throws {
                try wrapped.makeConnection(TransportWrapper(over: transport) { [weak self] in self?.count += $0 })
            }
        }
        let first = try FramingKind.lines.receiver { [next] receiver, line in
            receiver.transport.write("old")
            if line == "h" { try receiver.handOver(to: next) }
        }
        let written = Written(wrapping: first)
        let counted = Counted(wrapping: ProtocolWrapper(wrapping: written))
        let transport = VirtualTransport(reactor)
        transport.connect(counted)
        next.whenData = { $0.transport.write("new one") }
        transport.say("h\r\nrest")
        transport.say("more")
        #expect(written.wrapped === next)
        #expect(transport.written == "oldnew onenew one")
        #expect(written.count == 3 + 7 + 7)
        #expect(counted.bytes == 3 + 4 + 4, "bytes that are handed over are not seen twice")
        #expect(next.transport is TransportWrapper)
        transport.lose()
        #expect(next.events == [.made, .data("rest"), .data("more"), .lost(.lost)])
        #expect(counted.losses == 1)
    }

    @Test("policies ask the new one how it is called and what it waits for")
    func policiesAskTheNewOne() throws {
        let first = Recorder()
        let lines = LineReceiver()
        let wrapper = ProtocolWrapper(wrapping: ProtocolWrapper(wrapping: first))
        let transport = VirtualTransport(reactor)
        transport.connect(wrapper)
        try first.handOver(to: lines, unread: bytes("half"))
        #expect(wrapper.logPrefix == "LineReceiver")
        #expect(wrapper.unfinishedByteCount == 4)
        #expect(wrapper.halfCloseable == nil)
        try lines.handOver(to: HalfCloseableRecorder(), unread: [])
        #expect(wrapper.halfCloseable != nil)
    }
}
