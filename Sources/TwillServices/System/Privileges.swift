import CServices
import Twill

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// The user and the group that the program is to run as, and the way there, which is one way.
struct Privileges: Sendable {
    let user: UInt32
    let group: UInt32
    /// The user's name, whose other groups the process gets; nil for a user without an account, and where the group alone is changed.
    private let name: String?
    private let changesUser: Bool

    /// Looks a user and a group up, each a name or a number; called while the files with the accounts are to be seen. Without a group it is the
    /// user's own.
    ///
    /// - Throws: ``RunnerFailure``: there is no such user or group; this process may not become it.
    init(user: String?, group: String?) throws(RunnerFailure) {
        let account = try user.map { (text) throws(RunnerFailure) in try Account(user: text) }
        if let group {
            self.group = try Account.group(group)
        } else if let own = account?.group {
            self.group = own
        } else {
            throw RunnerFailure(.noUser, "User \(user ?? "") has no account that would say its group: give --gid, too")
        }
        self.user = account?.user ?? geteuid()
        name = account?.name
        changesUser = account != nil
        guard geteuid() == 0 || (self.user == geteuid() && self.group == getegid()) else {
            throw RunnerFailure(
                .noPermission, "Only root may run the program as another user or group: start it as root, or without --uid and --gid")
        }
    }

    /// Keeps the memory of a process that root has started out of core dumps: it may hold what only root may read. It stays so when privileges are gone.
    ///
    /// - Throws: ``RunnerFailure`` where the system refuses.
    static func forbidCoreDumps() throws(RunnerFailure) {
        guard geteuid() == 0 else { return }
        guard twill_no_core_dumps() == 0 else { throw RunnerFailure("Couldn't switch core dumps off", System.failure("prctl")) }
    }

    /// Gives up what this process may do beyond that user and group, for good: other groups first, then the group, then the user, because the last
    /// step takes away the right to the others. Then tries to get it back.
    ///
    /// - Throws: ``RunnerFailure`` where any of it failed; the process must end then.
    func drop() throws(RunnerFailure) {
        let wasRoot = geteuid() == 0
        if wasRoot {
            if let name {
                // The call reads a text.
                try check(unsafe initgroups(name, Self.base(group)), "initgroups")
            } else {
                var groups = [gid_t(group)]
                // The call reads as many numbers as it is told.
                try check(unsafe setgroups(Self.count(1), &groups), "setgroups")
            }
            try check(setgid(group), "setgid")
            if changesUser { try check(setuid(user), "setuid") }
        }
        guard getuid() == user || !changesUser, geteuid() == user, getgid() == group, getegid() == group else {
            throw RunnerFailure(.systemError, "The process has not become user \(user) and group \(group), although nothing failed")
        }
        if changesUser, user != 0 {
            guard setuid(0) != 0, seteuid(0) != 0 else {
                throw RunnerFailure(.systemError, "The process is user \(user), and can become root again: privileges were not given up")
            }
            if group != 0, setgid(0) == 0 || setegid(0) == 0 {
                throw RunnerFailure(
                    .systemError, "The process is of group \(group), and can become root's again: privileges were not given up")
            }
        }
        try check(twill_no_new_privileges(), "prctl")
        // Becoming another user resets it to the machine's own choice.
        if wasRoot { try check(twill_no_core_dumps(), "prctl") }
    }

    private func check(_ result: CInt, _ call: String) throws(RunnerFailure) {
        guard result == 0 else { throw RunnerFailure("Couldn't give up privileges", System.failure(call)) }
    }

    #if canImport(Darwin)
    private static func base(_ group: UInt32) -> CInt { CInt(bitPattern: group) }
    private static func count(_ count: Int) -> CInt { CInt(count) }
    #else
    private static func base(_ group: UInt32) -> gid_t { group }
    private static func count(_ count: Int) -> Int { count }
    #endif
}

/// What the system knows of a user.
private struct Account {
    let user: UInt32
    /// Nil for a number without an account.
    let group: UInt32?
    let name: String?

    init(user text: String) throws(RunnerFailure) {
        // The two calls return a place of the system's own, which is read at once, before any thread is there that could make another call.
        let number = UInt32(text)
        let found = if let number { unsafe getpwuid(number) } else { unsafe getpwnam(text) }
        if let found = unsafe found {
            user = unsafe found.pointee.pw_uid
            group = unsafe found.pointee.pw_gid
            name = unsafe String(cString: found.pointee.pw_name)
        } else if let number {
            (user, group, name) = (number, nil, nil)
        } else {
            throw RunnerFailure(.noUser, "There is no user \(text): give the name of an account, or a number with --gid")
        }
    }

    static func group(_ text: String) throws(RunnerFailure) -> UInt32 {
        if let number = UInt32(text) { return number }
        // As above.
        guard let found = unsafe getgrnam(text) else {
            throw RunnerFailure(.noUser, "There is no group \(text): give the name of one, or a number")
        }
        return unsafe found.pointee.gr_gid
    }
}
