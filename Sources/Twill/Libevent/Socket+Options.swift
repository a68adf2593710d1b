#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

extension Socket {
    /// Applies the options that belong to the system; those of TCP where the address is one of TCP's.
    ///
    /// On Linux a listening socket hands them on to what it accepts, so they are set once a port and not once a connection.
    func apply(_ options: TransportOptions, for address: Address) throws(SystemError) {
        if address.port != nil { try applyTCP(options) }
        if let bytes = options.sendBufferBytes {
            try set(SOL_SOCKET, SO_SNDBUF, to: CInt(clamping: bytes))
        }
        if let bytes = options.receiveBufferBytes {
            try set(SOL_SOCKET, SO_RCVBUF, to: CInt(clamping: bytes))
        }
    }

    private func applyTCP(_ options: TransportOptions) throws(SystemError) {
        try set(CInt(IPPROTO_TCP), TCP_NODELAY, to: options.noDelay ? 1 : 0)
        if let keepAlive = options.keepAlive {
            try set(SOL_SOCKET, SO_KEEPALIVE, to: 1)
            #if canImport(Darwin)
            try set(CInt(IPPROTO_TCP), TCP_KEEPALIVE, to: Self.wholeSeconds(keepAlive.idle))
            #else
            try set(CInt(IPPROTO_TCP), TCP_KEEPIDLE, to: Self.wholeSeconds(keepAlive.idle))
            #endif
            try set(CInt(IPPROTO_TCP), TCP_KEEPINTVL, to: Self.wholeSeconds(keepAlive.interval))
            try set(CInt(IPPROTO_TCP), TCP_KEEPCNT, to: CInt(clamping: max(1, keepAlive.count)))
        }
        if let linger = options.linger {
            try setLinger(linger)
        }
    }

    /// Applies the options to an accepted socket where the listening one does not hand them on.
    func applyToAccepted(_ options: TransportOptions, from peer: Address) {
        #if canImport(Darwin)
        // A peer that is gone already makes these fail; the first read will tell.
        try? apply(options, for: peer)
        #endif
    }

    private static func wholeSeconds(_ duration: Duration) -> CInt {
        CInt(clamping: max(1, duration.components.seconds))
    }
}
