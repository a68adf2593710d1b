/// A program to start: which one, with what arguments, and what it begins with.
///
/// ```swift
/// var command = ProcessCommand("sort", arguments: ["-u"])
/// command.workingDirectory = "/tmp"
/// command.environment = .inherited(adding: ["LC_ALL": "C"])
/// try reactor.spawnProcess(command, protocol: ProcessProtocol())
/// ```
///
/// Twisted: the arguments of `spawnProcess`.
public struct ProcessCommand: Sendable {
    /// The variables that a program finds in its environment.
    public enum Environment: Sendable, Equatable {
        /// Those of this process, as they are when the program is started; some of them changed or added, and some left out.
        case inherited(adding: [String: String] = [:], removing: Set<String> = [])
        /// These and no others.
        case only([String: String])

        /// Those of this process.
        public static let inherited = Environment.inherited()
    }

    /// What a descriptor of the child's is.
    public enum Descriptor: Sendable, Equatable {
        /// A pipe that this process writes to: the child's standard input is one. Twisted: `"w"`.
        case parentWrites
        /// A pipe that this process reads: the child's standard output and error are. Twisted: `"r"`.
        case parentReads
        /// A descriptor of this process, which keeps its own.
        case inherited(CInt)
    }

    /// To whom signals of a terminal go that are meant for a group, and which terminal the child has.
    public enum Group: Sendable, Equatable {
        /// The child is in this process's group: Ctrl-C reaches both.
        case shared
        /// The child leads a group of its own, so that Ctrl-C is for this process alone. Its own children are in that group.
        case own
        /// The child leads a session of its own, without a terminal.
        case ownSession
    }

    /// The program. With a slash in it, it is a path, a relative one taken from the working directory that the child begins in; without one it is
    /// looked for in the folders of this process's PATH.
    public var executable: String

    /// What follows the program's name. Nobody interprets them: they need no quoting.
    public var arguments: [String]

    /// What the program is told that its name is (`argv[0]`); nil for ``executable``.
    public var name: String?

    /// The variables of its environment; those of this process unless set. Twisted gives a child none unless told to, and many programs then don't
    /// find what they need.
    public var environment: Environment

    /// The folder that it begins in; nil for this process's.
    public var workingDirectory: String?

    /// Its descriptors, by their numbers from 0 to 255: 0 written and 1 and 2 read by this process, unless set. Of 0, 1 and 2, those that are not
    /// there are `/dev/null`. Whatever else this process has open, the child has not.
    public var descriptors: [CInt: Descriptor]

    /// The group that it belongs to.
    public var group: Group

    /// How many unsent bytes may wait for each of its pipes, and how long closing one may take that the child doesn't read.
    public var options: TransportOptions

    /// A program with its arguments.
    public init(
        _ executable: String, arguments: [String] = [], environment: Environment = .inherited, workingDirectory: String? = nil,
        descriptors: [CInt: Descriptor] = ProcessCommand.standardDescriptors, group: Group = .shared,
        options: TransportOptions = TransportOptions()
    ) {
        self.executable = executable
        self.arguments = arguments
        self.environment = environment
        self.workingDirectory = workingDirectory
        self.descriptors = descriptors
        self.group = group
        self.options = options
    }

    /// A pipe for each of standard input, output and error.
    public static let standardDescriptors: [CInt: Descriptor] = [0: .parentWrites, 1: .parentReads, 2: .parentReads]

    /// The highest number that a descriptor of a child's may be given.
    package static let descriptorMax: CInt = 255
}
