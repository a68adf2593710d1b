extension LibeventReactor {
    /// How a reactor's loop waits for its descriptors. Users get the best; the tests show that the others keep the same promises.
    package enum Backend: CaseIterable, Sendable {
        /// The best that the system has: epoll on Linux, kqueue on macOS.
        case best
        /// `poll`, which every system has.
        case poll
        /// `select`, which can't watch descriptors from 1024 on: whoever has one is refused, as when there are none left.
        case select

        /// What libevent would rather take, in its words.
        var preferredMethods: [String] {
            switch self {
            case .best: []
            case .poll: ["epoll", "kqueue"]
            case .select: ["epoll", "kqueue", "poll"]
            }
        }
    }

    /// How the loop waits, in libevent's words: `epoll`, `kqueue`, `poll` or `select`.
    package var backendMethod: String { base.method }
}
