import Twill

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// What happens to a datagram on its way.
extension SimulatedDatagramPort {
    /// Sends to whoever has the address: one host, or all of them for a group or a broadcast.
    func send(_ bytes: [UInt8], to address: Address) {
        guard !isFull else { return counters.dropped += 1 }
        counters.sent += 1
        counters.bytesSent += bytes.count
        switch address {
        case .ipv4(let target) where target.isMulticast || target.bits == .max:
            let isForItself = hearsItself || !target.isMulticast
            for host in loop.world.wiring.allHosts where host !== loop || isForItself { carry(bytes, to: address, at: host.name) }
        case .unix:
            guard loop.datagramPorts.contains(where: { $0.serves(address) }) else {
                let error = DatagramError.failed(address, because: SystemError(call: "sendmsg", errno: ECONNREFUSED))
                return loop.later { [self] in failed(error) }
            }
            carry(bytes, to: address, at: loop.name)
        default:
            // What is sent to an address that nobody has is lost, as behind a router.
            if let host = loop.host(at: address) { carry(bytes, to: address, at: host.name) }
        }
    }

    /// Carries a datagram over the link to a host.
    private func carry(_ bytes: [UInt8], to address: Address, at target: String) {
        let world = loop.world
        let way = world.wiring.datagramWay(from: loop.name, to: target)
        let link = way.link
        let size = bytes.count
        let deliver = { (delay: Duration) in
            let arrival = way.path.datagramArrival(of: size, sentAt: world.now).advanced(by: delay)
            world.at(arrival) { [self] in arrive(bytes, to: address, at: target, over: way) }
        }
        defer { noteBacklog(of: way) }
        let segment = SimulatedSegment(kind: .datagram, from: loop.name, to: target, connection: 0, offset: 0, bytes: bytes)
        if let (verdict, rule) = world.wiring.verdict(on: segment) {
            note(.ruled, way, size)
            switch verdict {
            case .deliver(let delay): deliver(delay)
            case .hold: rule.keep { deliver(.zero) }
            case .pass, .drop, .end, .reset: break
            }
            return
        }
        // Nobody keeps a datagram until the way is free.
        guard !link.isHeld else { return note(.datagramLost, way, size) }
        let drawn = way.path.draws.datagram(link.faults)
        if drawn.isLost { return note(.datagramLost, way, size) }
        if drawn.delay > .zero { note(.datagramLate, way, size) }
        deliver(drawn.delay)
        if drawn.isDoubled {
            note(.datagramDoubled, way, size)
            deliver(.zero)
        }
    }

    private func note(_ step: SimulationTrace.Step, _ way: DatagramWay, _ count: Int) {
        loop.world.note(step, way.path.name, way.path.key, count)
    }

    private func arrive(_ bytes: [UInt8], to address: Address, at target: String, over way: DatagramWay) {
        let wiring = loop.world.wiring
        guard !wiring.isDark(target), let host = wiring.allHosts.first(where: { $0.name == target }) else {
            return note(.datagramLost, way, bytes.count)
        }
        note(.datagramArrives, way, bytes.count)
        let listening = host.datagramPorts.filter { $0.serves(address) }
        guard let first = listening.first else { return refuse(to: address, at: target) }
        let sender = senderAddress(seenBy: address)
        if case .ipv4(let group) = address, group.isMulticast || group.bits == .max {
            for port in listening { port.receive(bytes, from: sender) }
        } else {
            // Of several ports of one number the system chooses by the sender.
            let chosen = listening.count == 1 ? first : listening[Int(sender.description.stableHash % UInt64(listening.count))]
            chosen.receive(bytes, from: sender)
        }
    }

    /// The sender's address as the receiver sees it: that of the way it came.
    private func senderAddress(seenBy target: Address) -> Address {
        guard case .ipv4(let own) = host else { return host }
        if case .ipv4(let target) = target, target.bits >> 24 == 127 { return .ipv4(.loopback).with(port: own.port) }
        return host
    }

    private func refuse(to address: Address, at target: String) {
        guard case .ipv4(let ip) = address, !ip.isMulticast, ip.bits != .max else { return }
        let world = loop.world
        let back = world.wiring.datagramWay(from: target, to: loop.name)
        guard !back.link.isHeld else { return }
        world.at(back.path.datagramArrival(of: 0, sentAt: world.now)) { [self] in refused() }
    }

    /// Drops what is written while more waits to leave than the send buffer takes.
    private func noteBacklog(of way: DatagramWay) {
        guard let rate = way.link.conditions.bytesPerSecond, !isFull else { return }
        let world = loop.world
        let backlog = world.now.duration(to: way.path.freeTime)
        guard backlog.nanoseconds / 1_000 * Int64(rate) / 1_000_000 > Int64(sendBufferBytes) else { return }
        isFull = true
        loop.later { [self] in call("sendBufferFilled") { try $0.sendBufferFilled() } }
        world.at(way.path.freeTime) { [self] in
            isFull = false
            call("sendBufferDrained") { try $0.sendBufferDrained() }
        }
    }
}
