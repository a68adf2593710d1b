import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Multicast that does not leave this machine.
@Suite("Multicast", .nothingLivesOn)
struct DatagramMulticastTests {
    /// A group of each family, and the interface that members listen on.
    static let groups = [("239.255.77.1", "0.0.0.0"), ("239.255.77.2", ""), ("ff15::7701", "::"), ("ff15::7702", "")]

    private static let loopback: String = {
        #if canImport(Darwin)
        "lo0"
        #else
        "lo"
        #endif
    }()

    /// Every interface of this machine, the loopback one last: it gives back everything, whether that was asked for or not.
    private static let interfaces: [String] = {
        guard let list = unsafe if_nameindex() else { return [loopback] }
        defer { unsafe if_freenameindex(list) }
        var names: [String] = []
        var next = unsafe list
        while let name = unsafe next.pointee.if_name {
            names.append(unsafe String(cString: name))
            unsafe next += 1
        }
        return names.filter { $0 != loopback } + [loopback]
    }()

    /// An interface by which a datagram to the group comes back; nil, with a sentence, where there is none. Nothing leaves this machine.
    private func interface(for group: String) throws -> String? {
        for interface in Self.interfaces where try comesBack(to: group, by: interface) { return interface }
        print("skipped: what is sent to \(group) comes back by none of \(Self.interfaces.joined(separator: ", "))")
        return nil
    }

    private func comesBack(to group: String, by interface: String) throws -> Bool {
        let recorder = DatagramRecorder()
        try withReactor { reactor in
            recorder.whenTold = { [unowned reactor] _, event in if event != .started, event != .stopped { reactor.stop() } }
            let port = try reactor.listenUDP(port: 0, protocol: recorder, interface: group.contains(":") ? "::" : "0.0.0.0")
            let everybody = try #require(Address(host: group, port: port.host.port ?? 0))
            do {
                try join(port, group, interface)
                try port.write("?", to: everybody)
            } catch {
                return reactor.stop()
            }
            // It is there at once, or never.
            reactor.afterTurns(10) { [unowned reactor] in reactor.stop() }
        }
        return recorder.received.count == 1
    }

    private func join(_ port: DatagramTransport, _ group: String, _ interface: String) throws {
        try port.joinGroup(group, interface: interface)
        try port.setOutgoingInterface(interface)
        try port.setTTL(0)
    }

    @Test(arguments: groups)
    func everyMemberHearsTheGroupUntilItLeaves(group: String, interface: String) throws {
        guard let way = try self.interface(for: group) else { return }
        let members = [DatagramRecorder(), DatagramRecorder()]
        try withReactor { reactor in
            let first = try reactor.listenUDP(port: 0, protocol: members[0], interface: interface, reusePort: true)
            let second = try reactor.listenUDP(
                port: Int(first.host.port ?? 0), protocol: members[1], interface: interface, reusePort: true)
            let everybody = try #require(Address(host: group, port: first.host.port ?? 0))
            for port in [first, second] { try join(port, group, way) }
            try first.write("one", to: everybody)
            reactor.when {
                members.allSatisfy { $0.received.count == 1 }
            } then: {
                try second.leaveGroup(group, interface: way)
                try first.write("two", to: everybody)
                reactor.when {
                    members[0].received.count == 2
                } then: {
                    reactor.afterTurns(5) { reactor.stop() }
                }
            }
        }
        #expect(members[0].texts == ["one", "two"])
        #expect(members[1].texts == ["one"], "no member any more, though the other one still is")
    }

    @Test(arguments: groups)
    func whoeverIsNoMemberHearsNothing(group: String, interface: String) throws {
        guard let way = try self.interface(for: group) else { return }
        let recorder = DatagramRecorder()
        try withReactor { reactor in
            let port = try reactor.listenUDP(port: 0, protocol: recorder, interface: interface)
            let everybody = try #require(Address(host: group, port: port.host.port ?? 0))
            try join(port, group, way)
            try port.leaveGroup(group, interface: way)
            try port.write("nobody", to: everybody)
            reactor.afterTurns(3) {
                try port.joinGroup(group, interface: way)
                try port.setLoopback(false)
                try port.write("others alone", to: everybody)
                try port.setLoopback(true)
                // This one shows that the others would have come.
                try port.write("everybody", to: everybody)
            }
            recorder.whenTold = { [unowned reactor] _, event in if event == .data("everybody") { reactor.stop() } }
        }
        #expect(recorder.texts == (way == Self.loopback ? ["others alone"] : []) + ["everybody"])
    }

    @Test func theSettingsReachTheSocketOfEitherFamily() throws {
        try withReactor { reactor in
            for (interface, ipv4, ipv6) in [("127.0.0.1", true, false), ("::1", false, true), ("", true, true)] {
                let port = try reactor.listenUDP(port: 0, protocol: DatagramRecorder(), interface: interface)
                let descriptor = try #require(port as? UDPPort).socket.descriptor
                try port.setTTL(7)
                try port.setLoopback(false)
                try port.setOutgoingInterface(Self.loopback)
                let index = CInt(unsafe if_nametoindex(Self.loopback))
                if ipv6 {
                    #expect(socketOption(descriptor, CInt(IPPROTO_IPV6), IPV6_MULTICAST_HOPS) == 7)
                    #expect(socketOption(descriptor, CInt(IPPROTO_IPV6), IPV6_MULTICAST_LOOP) == 0)
                    #expect(socketOption(descriptor, CInt(IPPROTO_IPV6), IPV6_MULTICAST_IF) == index)
                }
                #if os(Linux)
                if ipv4 {
                    #expect(socketOption(descriptor, CInt(IPPROTO_IP), IP_MULTICAST_TTL) == 7)
                    #expect(socketOption(descriptor, CInt(IPPROTO_IP), IP_MULTICAST_LOOP) == 0)
                }
                #endif
                try port.setTTL(0)
                try port.setTTL(255)
                for hops in [-1, 256, Int.max] {
                    let error = #expect(throws: DatagramError.self) { try port.setTTL(hops) }
                    #expect(error == .invalidValue && error?.description.contains("\(hops)") == true)
                }
                // By its address as by its name.
                try port.setOutgoingInterface(interface.contains(":") ? "::1" : "127.0.0.1")
                try port.setOutgoingInterface("")
            }
            reactor.stop()
        }
    }

    @Test(arguments: ["", "239.255.77.1.", "224", "223.255.255.255", "240.0.0.0", "127.0.0.1", "fe80::1", "::1", "example.com"])
    func whatIsNoGroupIsNamed(group: String) throws {
        try withReactor { reactor in
            let port = try reactor.listenUDP(port: 0, protocol: DatagramRecorder())
            for attempt in [{ try port.joinGroup(group) }, { try port.leaveGroup(group) }] {
                let error = #expect(throws: DatagramError.self) { try attempt() }
                #expect(error == .invalidGroup)
                #expect(error?.description.hasPrefix("'\(group)' is no multicast group") == true)
            }
            reactor.stop()
        }
    }

    @Test func aGroupOfTheOtherFamilyAndAnInterfaceThatIsNotThereAreNamed() throws {
        try withReactor { reactor in
            let ipv4 = try reactor.listenUDP(port: 0, protocol: DatagramRecorder(), interface: "127.0.0.1")
            let ipv6 = try reactor.listenUDP(port: 0, protocol: DatagramRecorder(), interface: "::1")
            let other = #expect(throws: DatagramError.self) { try ipv4.joinGroup("ff15::1") }
            #expect(other == .invalidGroup && other?.description.contains("'ff15::1', which is of the other IP family") == true)
            #expect(throws: DatagramError.invalidGroup) { try ipv6.joinGroup("239.1.2.3") }
            for interface in ["no-such-interface0", "192.0.2.99", "2001:db8::99", String(repeating: "x", count: 300), "lo\0"] {
                let error = #expect(throws: DatagramError.self) { try ipv4.joinGroup("239.1.2.3", interface: interface) }
                #expect(error == .invalidInterface && error?.description.contains("'\(interface)'") == true)
                #expect(throws: DatagramError.invalidInterface) { try ipv4.setOutgoingInterface(interface) }
            }
            let never = #expect(throws: DatagramError.self) { try ipv4.leaveGroup("239.1.2.3", interface: Self.loopback) }
            #expect(never == .failed && never?.underlying?.call == "setsockopt")
            reactor.stop()
        }
    }
}
