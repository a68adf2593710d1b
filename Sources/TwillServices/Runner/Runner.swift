import Logging
import Twill

/// Brings a program up and down again; ``Application`` documents the order.
///
/// What stands here is the order, and nothing else: each step is a type of its own.
struct Runner<Program: Application> {
    private let application: Program
    private let options: RunnerOptions

    init(_ application: Program, _ options: RunnerOptions) {
        (self.application, self.options) = (application, options)
    }

    /// Runs the program to its end; called on the first thread, before there is another one.
    func run() -> ExitStatus {
        let report = Daemon.report()
        do {
            if options.daemon, report == nil {
                // What is wrong with the command line is better said here.
                _ = try privileges()
                try Daemon.start()
                return .success
            }
            return try serve(report)
        } catch {
            let failure = RunnerFailure(error)
            System.sayLast("\(Program.name): \(failure)\n")
            report?.failed(failure)
            return failure.status
        }
    }

    private func privileges() throws(RunnerFailure) -> Privileges? {
        options.uid == nil && options.gid == nil ? nil : try Privileges(user: options.uid, group: options.gid)
    }

    private func serve(_ report: Daemon.Report?) throws -> ExitStatus {
        try Privileges.forbidCoreDumps()
        let privileges = try privileges()
        let manager = ServiceManager()
        // Before another folder is the root of all, where there may be no way to it.
        if options.syslog { LogTarget.connectToSyslog(as: Program.name) }
        try goToFolder()
        let signals = ProcessSignals()
        let log = try openLog(privileges)
        defer { log.flush() }
        if privileges == nil { try log.start() }
        do {
            let inherited = try options.handover.flatMap { try HandoverClient.takeSockets(at: $0, as: privileges?.user ?? System.userID) }
            let possessions = Possessions(
                pidPath: options.pidfile ?? (options.daemon ? "\(Program.name).pid" : nil), handoverPath: options.handover,
                table: SocketTable(inherited: inherited ?? [], mayGrow: options.handover != nil, holdsBack: true))
            // Where another process serves, it has them until this one does.
            if inherited == nil { try possessions.takePIDFile() }
            defer { possessions.giveBack() }
            let supervisor = Supervisor(
                name: Program.name, log: log, manager: manager, report: report, drainTimeout: .seconds(options.drainTimeout),
                possessions: possessions, takesOver: inherited != nil)
            do {
                let group = try reactors(for: supervisor, possessions.table)
                try privileges?.drop()
                try log.start()
                try supervisor.listen(to: signals)
                return try supervisor.run(group)
            } catch {
                supervisor.abandon()
                throw error
            }
        } catch {
            // The log has it, too: the sentence on the terminal is gone with it.
            let failure = RunnerFailure(error)
            if options.daemon || options.syslog || options.logfile != nil { Logger(label: Program.name).critical("\(failure)") }
            throw failure
        }
    }

    /// The reactors with their services, whose ports are bound.
    private func reactors(for supervisor: Supervisor, _ table: SocketTable) throws -> ReactorGroup {
        let logger = Logger(label: Program.name)
        let group = try ReactorGroup(count: options.reactors, logger: logger, sockets: table) { reactor, place in
            let root = MultiService(on: reactor, at: place)
            try application.addServices(to: root)
            let admin = place.isFirst ? try admin(on: reactor, of: supervisor) : nil
            try root.privilegedStart()
            supervisor.add(root, on: reactor, admin: admin)
        }
        for (place, descriptor) in table.takeUnused() {
            let isServed = table.entries.contains { System.isSame($0.descriptor, descriptor) }
            if !isServed { logger.notice("\(place) was handed over, and nobody here asks for it: the process before this one closes it") }
            System.close(descriptor)
        }
        return group
    }

    /// The admin endpoint, bound; it has a root of its own, because it is not drained with the others.
    private func admin(on reactor: any Reactor, of supervisor: Supervisor) throws -> Service? {
        guard let description = options.admin else { return nil }
        let root = MultiService(on: reactor)
        let admin = try AdminService(description) {
            supervisor.isServing
        } statistics: {
            supervisor.statistics(on: $0)
        }
        try root.add(admin)
        try root.privilegedStart()
        return root
    }

    private func goToFolder() throws(RunnerFailure) {
        if let folder = options.chroot {
            do { try System.changeRoot(folder) } catch { throw RunnerFailure("Couldn't make \(folder) the root of all", error) }
        }
        if let folder = options.rundir ?? (options.chroot == nil ? nil : "/") {
            do { try System.changeFolder(folder) } catch { throw RunnerFailure("Couldn't go to the folder \(folder)", error) }
        }
        if let mask = options.umask?.bits ?? (options.daemon ? 0o077 : nil) { System.setFileMask(mask) }
    }

    /// Opens the log, and sends all that is logged in this process there.
    private func openLog(_ privileges: Privileges?) throws(RunnerFailure) -> LogDestination {
        let place: LogDestination.Place =
            switch options.logfile ?? (options.daemon && !options.syslog ? "\(Program.name).log" : nil) {
            case _ where options.syslog: .syslog
            case "-": .standardOutput
            case let path?: .file(path)
            case nil: .standardError
            }
        let (format, level) = (options.logFormat, options.logLevel.level)
        let destination = try LogDestination(place, for: privileges) { count, wantsTime in
            let text = "lines of the log are missing here, because nobody took them: \(count)"
            return format.line(.warning, Program.name, text, [], wantsTime: wantsTime)
        }
        LoggingSystem.bootstrap { label in
            RunnerLogHandler(label: label, destination: destination, format: format, logLevel: level)
        }
        return destination
    }
}
