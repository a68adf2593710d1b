// Which of these modules a C type is found in depends on what else is compiled.
import CLibevent

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Groups, and how far and by which way datagrams to them go. What a socket of both families is asked for it does for both.
extension UDPSocket {
    /// Joins a group on an interface (`MCAST_JOIN_GROUP`).
    func joinGroup(_ group: Address, interface: NetworkInterface) throws(SystemError) {
        do {
            try setMembership(MCAST_JOIN_GROUP, group, interface)
        } catch {
            // The process before this one has joined it already.
            guard isTakenOver, error.errno == EADDRINUSE else { throw error }
        }
    }

    /// Leaves a group (`MCAST_LEAVE_GROUP`).
    func leaveGroup(_ group: Address, interface: NetworkInterface) throws(SystemError) {
        try setMembership(MCAST_LEAVE_GROUP, group, interface)
    }

    private func setMembership(_ option: CInt, _ group: Address, _ interface: NetworkInterface) throws(SystemError) {
        let level = if case .ipv6 = group { CInt(IPPROTO_IPV6) } else { CInt(IPPROTO_IP) }
        var request = group_req()
        request.gr_interface = interface.index
        try unsafe group.withSockaddr { address, length in
            // A sockaddr_storage has room for every family's address.
            unsafe withUnsafeMutableBytes(of: &request.gr_group) {
                unsafe $0.copyMemory(from: UnsafeRawBufferPointer(start: address, count: Int(length)))
            }
        }
        guard unsafe setsockopt(descriptor, level, option, &request, socklen_t(MemoryLayout<group_req>.size)) == 0 else {
            throw SystemError(call: "setsockopt")
        }
    }

    /// Sets over how many routers multicast datagrams may go (`IP_MULTICAST_TTL`, `IPV6_MULTICAST_HOPS`).
    func setHopLimit(_ hops: CInt) throws(SystemError) {
        try setBoth(IP_MULTICAST_TTL, IPV6_MULTICAST_HOPS, to: hops)
    }

    /// Sets whether what is sent to a group comes back to this machine's members (`IP_MULTICAST_LOOP`, `IPV6_MULTICAST_LOOP`).
    func setLoopback(_ isOn: Bool) throws(SystemError) {
        try setBoth(IP_MULTICAST_LOOP, IPV6_MULTICAST_LOOP, to: isOn ? 1 : 0)
    }

    private func setBoth(_ ipv4: CInt, _ ipv6: CInt, to value: CInt) throws(SystemError) {
        if family != .ipv4 { try socket.set(CInt(IPPROTO_IPV6), ipv6, to: value) }
        try setForIPv4 { () throws(SystemError) in try socket.set(CInt(IPPROTO_IP), ipv4, to: value) }
    }

    /// Sets by which interface multicast datagrams leave (`IP_MULTICAST_IF`, `IPV6_MULTICAST_IF`).
    func setOutgoingInterface(_ interface: NetworkInterface) throws(SystemError) {
        if family != .ipv4 { try socket.set(CInt(IPPROTO_IPV6), IPV6_MULTICAST_IF, to: CInt(clamping: interface.index)) }
        try setForIPv4 { () throws(SystemError) in
            var request = ip_mreqn()
            request.imr_ifindex = CInt(clamping: interface.index)
            guard unsafe setsockopt(descriptor, CInt(IPPROTO_IP), IP_MULTICAST_IF, &request, socklen_t(MemoryLayout<ip_mreqn>.size)) == 0
            else { throw SystemError(call: "setsockopt") }
        }
    }

    /// Sets what concerns IPv4, where the socket carries it.
    private func setForIPv4(_ set: () throws(SystemError) -> Void) throws(SystemError) {
        switch family {
        case .ipv6: return
        case .ipv4, .unix: try set()
        case .dual:
            #if canImport(Darwin)
            // There an IPv6 socket takes no options of IPv4's.
            try? set()
            #else
            try set()
            #endif
        }
    }
}
