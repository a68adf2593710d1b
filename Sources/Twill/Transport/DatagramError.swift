/// Why a datagram could not be sent, or a UDP port not be set as asked.
///
/// Compare with `==` to ask for the kind. The description is a sentence with the address, the value and what to do: "Couldn't send 70000
/// bytes to 127.0.0.1:53: a datagram over IPv4 carries at most 65507; send several".
///
/// Twisted: `InvalidAddressError`, `MessageLengthError`, `MulticastJoinError`, and what its socket calls raise.
public struct DatagramError: Error, Sendable {
    private enum Kind: UInt8 {
        case invalidAddress, tooLong, notConnected, alreadyConnected, broadcastNotAllowed, invalidGroup, invalidInterface, invalidValue,
            protocolInUse
        case failed
    }

    private let kind: Kind

    /// Where the datagram was meant to go; ``Address/unknown`` where the error is not about a destination.
    public let address: Address

    /// The system call that failed, if one did.
    public let underlying: SystemError?

    /// What was to be done, what stands against it, and what to do instead.
    private let sentence: String

    /// The error number of the system call that failed, `ENETUNREACH` for example; nil where none did.
    public var errno: CInt? { underlying?.errno }

    private init(_ kind: Kind, _ sentence: String, address: Address = .unknown, because underlying: SystemError? = nil) {
        self.kind = kind
        self.sentence = sentence
        self.address = address
        self.underlying = underlying
    }

    /// The destination is none for this port: an IPv6 address for an IPv4 port, the other way round, a UNIX socket, or port 0. Twisted:
    /// `InvalidAddressError`.
    public static let invalidAddress = DatagramError(.invalidAddress, "the destination is none for this port")
    /// More bytes than a datagram carries. Twisted: `MessageLengthError`.
    public static let tooLong = DatagramError(.tooLong, "there are more bytes than a datagram carries")
    /// Written without an address, although the port is not connected.
    public static let notConnected = DatagramError(.notConnected, "the port is not connected")
    /// Connected already: a port can be connected once, and then sends to its peer alone.
    public static let alreadyConnected = DatagramError(.alreadyConnected, "the port is connected already")
    /// The destination is a broadcast address, and ``DatagramTransport/broadcastAllowed`` is off.
    public static let broadcastNotAllowed = DatagramError(.broadcastNotAllowed, "the port may not send broadcasts")
    /// Not the address of a multicast group.
    public static let invalidGroup = DatagramError(.invalidGroup, "the address is none of a multicast group")
    /// Neither the name nor an address of one of this machine's interfaces.
    public static let invalidInterface = DatagramError(.invalidInterface, "this machine has no such interface")
    /// A number that is out of range.
    public static let invalidValue = DatagramError(.invalidValue, "the number is out of range")
    /// The protocol serves another port already.
    public static let protocolInUse = DatagramError(.protocolInUse, "the protocol serves a port already")
    /// Anything else; ``underlying`` says what.
    public static let failed = DatagramError(.failed, "the system refused it")
}

extension DatagramError: Equatable {
    public static func == (left: DatagramError, right: DatagramError) -> Bool { left.kind == right.kind }
}

extension DatagramError: CustomStringConvertible {
    public var description: String { sentence }
}

/// The sentences.
extension DatagramError {
    /// The port has no socket of the destination's family.
    package static func wrongFamily(_ address: Address, from host: Address) -> DatagramError {
        var why =
            switch address {
            case .ipv4: "that is IPv4, and the port is IPv6 alone; listen on all interfaces (an empty one), or on an IPv4 one"
            case .ipv6: "that is IPv6, and the port is IPv4; listen on all interfaces (an empty one), or on an IPv6 one"
            case .unix, .pipe, .unknown: "a UDP port sends to IP addresses; give one"
            }
        if case .unix = host { why = "a UNIX socket sends to others of its kind; give a path" }
        return DatagramError(.invalidAddress, "Couldn't send from \(host) to \(address): \(why)", address: address)
    }

    /// A sender that has no name can't be answered.
    package static func noName(from host: Address) -> DatagramError {
        DatagramError(
            .invalidAddress, "Couldn't send from \(host) to a UNIX socket without a path: its owner has to bind it to one",
            address: .unix(""))
    }

    package static func noPort(_ address: Address) -> DatagramError {
        DatagramError(.invalidAddress, "Couldn't send to \(address): nobody can have port 0; give one from 1 to 65535", address: address)
    }

    package static func tooLong(_ count: Int, max: Int, to address: Address) -> DatagramError {
        let family =
            switch address {
            case .ipv6: "IPv6"
            case .unix: "a UNIX socket"
            case .ipv4, .pipe, .unknown: "IPv4"
            }
        return DatagramError(
            .tooLong, "Couldn't send \(count) bytes to \(address): a datagram over \(family) carries at most \(max); send several",
            address: address)
    }

    package static func notConnected(_ count: Int, from host: Address) -> DatagramError {
        DatagramError(
            .notConnected,
            "Couldn't send \(count) bytes from \(host): it is not connected; connect(to:) first, or say where by write(_:to:)")
    }

    package static func alreadyConnected(to peer: Address, not address: Address) -> DatagramError {
        DatagramError(
            .alreadyConnected,
            "Couldn't send or connect to \(address): the port is connected to \(peer) and sends there alone; open another port for \(address)",
            address: address)
    }

    package static func broadcastNotAllowed(_ address: Address, because underlying: SystemError? = nil) -> DatagramError {
        DatagramError(
            .broadcastNotAllowed,
            "Couldn't send to \(address): broadcasts are off; set broadcastAllowed on the transport or in the options",
            address: address, because: underlying)
    }

    package static func invalidGroup(_ group: String) -> DatagramError {
        DatagramError(
            .invalidGroup, "'\(group)' is no multicast group: those of IPv4 are 224.0.0.0 to 239.255.255.255, those of IPv6 begin with ff")
    }

    package static func wrongFamilyOfGroup(_ group: String, on host: Address) -> DatagramError {
        DatagramError(
            .invalidGroup,
            "\(host) can't be in the group '\(group)', which is of the other IP family; listen on all interfaces (an empty one)")
    }

    package static func invalidInterface(_ interface: String) -> DatagramError {
        DatagramError(
            .invalidInterface, "this machine has no interface '\(interface)'; give its name, such as eth0, or one of its numeric addresses")
    }

    package static func invalidHopLimit(_ hops: Int) -> DatagramError {
        DatagramError(.invalidValue, "a multicast datagram can't have a hop limit of \(hops); give one from 0 to 255")
    }

    package static func protocolInUse(_ name: String, on host: Address) -> DatagramError {
        DatagramError(.protocolInUse, "\(name) serves \(host) already; give each port a protocol of its own, or stop that port first")
    }

    /// The system refused a datagram, or to connect.
    package static func failed(_ address: Address, because underlying: SystemError) -> DatagramError {
        DatagramError(.failed, "Couldn't send to \(address): \(underlying)", address: address, because: underlying)
    }

    /// The system found a datagram too long that keeps to the protocol's limit.
    package static func tooLong(for address: Address, because underlying: SystemError) -> DatagramError {
        DatagramError(
            .tooLong, "Couldn't send to \(address): \(underlying); send shorter datagrams", address: address, because: underlying)
    }

    /// The system refused a setting.
    package static func failed(_ what: String, because underlying: SystemError) -> DatagramError {
        DatagramError(.failed, "Couldn't \(what): \(underlying)", because: underlying)
    }
}
