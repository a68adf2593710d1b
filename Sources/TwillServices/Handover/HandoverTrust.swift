import Twill

/// With whom sockets are handed over. The mode of the socket's file says who may ask, but a name that is no file has none, and a file may be
/// somebody else's.
struct HandoverTrust {
    private let users: Set<UInt32>

    /// A process that asks trusts one that runs as the user that it will be itself: to another one it could not say later that it serves.
    static func whoeverIs(_ user: UInt32) -> HandoverTrust { HandoverTrust(users: [user]) }

    /// A process that is asked trusts its own user, and root, who may be that user later.
    static var whoeverMayAsk: HandoverTrust { HandoverTrust(users: [0, System.userID]) }

    /// - Throws: ``Stranger`` where the peer is another user, or can't be told.
    func check(_ transport: Transport) throws {
        let peer = transport.peerCredentials
        guard let user = peer?.userID, users.contains(user) else { throw Stranger(user: peer?.userID) }
    }

    /// A peer that is not trusted.
    struct Stranger: Error, CustomStringConvertible {
        let user: UInt32?

        var description: String {
            "it is a process of \(user.map { "user \($0)" } ?? "an unknown user"), and sockets are handed over between processes of one user"
        }
    }
}
