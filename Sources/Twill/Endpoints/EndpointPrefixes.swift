/// What the prefixes mean that Twill brings.
enum EndpointPrefixes {
    static let servers: [String: EndpointRegistry.MakeServer] = [
        "tcp": { parts throws(EndpointError) in try tcpServer(parts) },
        "tcp6": { parts throws(EndpointError) in try tcp6Server(parts) },
        "unix": { parts throws(EndpointError) in try unixServer(parts) },
        "fd": { parts throws(EndpointError) in try adoptedServer(parts) },
        "systemd": { parts throws(EndpointError) in try SystemdSockets.endpoint(parts) },
        "haproxy": { parts throws(EndpointError) in try proxyServer(parts) },
        "stdio": { parts throws(EndpointError) in try standardIO(parts) },
    ]

    static let clients: [String: EndpointRegistry.MakeClient] = [
        "tcp": { parts throws(EndpointError) in try tcpClient(parts) },
        "unix": { parts throws(EndpointError) in try unixClient(parts) },
        "process": { parts throws(EndpointError) in try process(parts) },
    ]

    private static let backlogs = 1...Int(Int32.max)

    /// `tcp:PORT`, `tcp:HOST:PORT`, with options.
    private static func tcpServer(_ parts: EndpointDescription) throws(EndpointError) -> TCPServerEndpoint {
        try parts.expect(argumentsMax: 2, options: ["port", "interface", "backlog", "reusePort", "connectionsMax"])
        var arguments = parts.arguments
        var interface = parts.options["interface"]
        if arguments.count == 2 {
            if let interface { throw parts.error(interface, "is an interface too many: \(arguments[0].text) is there already") }
            interface = arguments.removeFirst()
            if interface?.text == "" { throw parts.error(arguments[0], "has no host before it: write tcp:PORT or tcp:HOST:PORT") }
        }
        if let interface, !interface.text.isEmpty, Address(host: interface.text, port: 0) == nil {
            throw parts.error(
                interface, "is no address of this machine: give one in numbers, as in 127.0.0.1 or [::1], or none for all of them")
        }
        var binding = TCPBinding(port: try port(parts, arguments.first, in: 0...65535), interface: interface?.text ?? "")
        try applyLimits(parts, &binding)
        return TCPServerEndpoint(binding)
    }

    /// `tcp6:PORT`: all addresses, or one of IPv6.
    private static func tcp6Server(_ parts: EndpointDescription) throws(EndpointError) -> TCPServerEndpoint {
        try parts.expect(argumentsMax: 1, options: ["port", "interface", "backlog", "reusePort", "connectionsMax"])
        let interface = parts.options["interface"]
        if let interface, IPv6Address(host: interface.text, port: 0) == nil {
            throw parts.error(interface, "is no IPv6 address: give one in brackets, as in [::1]")
        }
        var binding = TCPBinding(port: try port(parts, parts.arguments.first, in: 0...65535), interface: interface?.text ?? "::")
        try applyLimits(parts, &binding)
        return TCPServerEndpoint(binding)
    }

    private static func applyLimits(_ parts: EndpointDescription, _ binding: inout TCPBinding) throws(EndpointError) {
        if let backlog = try parts.number("backlog", in: backlogs) { binding.backlog = backlog }
        if let reusePort = try parts.flag("reusePort") { binding.reusePort = reusePort }
        binding.connectionsMax = try parts.number("connectionsMax", in: 1...Int.max)
    }

    private static func port(
        _ parts: EndpointDescription, _ argument: EndpointDescription.Part?, in range: ClosedRange<Int>
    ) throws(EndpointError) -> Int {
        if let option = parts.options["port"] {
            if let argument { throw parts.error(argument, "is a port too many: \(option.text) is there already") }
            return try parts.number(option, in: range, called: "port")
        }
        guard let argument else { throw parts.missing("has no port: write \(parts.prefix):PORT") }
        return try parts.number(argument, in: range, called: "port")
    }

    /// `unix:PATH`, with options.
    private static func unixServer(_ parts: EndpointDescription) throws(EndpointError) -> UNIXServerEndpoint {
        try parts.expect(argumentsMax: 1, options: ["address", "mode", "lockfile", "backlog", "connectionsMax"])
        var binding = UNIXBinding(path: try path(parts))
        if let mode = try parts.mode("mode") { binding.mode = mode }
        if let wantsLock = try parts.flag("lockfile") { binding.wantsLock = wantsLock }
        if let backlog = try parts.number("backlog", in: backlogs) { binding.backlog = backlog }
        binding.connectionsMax = try parts.number("connectionsMax", in: 1...Int.max)
        return UNIXServerEndpoint(binding)
    }

    private static func path(_ parts: EndpointDescription) throws(EndpointError) -> String {
        guard let path = parts.arguments.first ?? parts.options["address"] ?? parts.options["path"], !path.text.isEmpty else {
            throw parts.missing("has no path: write unix:PATH, as in unix:/run/chat")
        }
        if path.text.utf8.count > Address.pathBytesMax {
            throw parts.error(path, "is too long: a UNIX socket's path has at most \(Address.pathBytesMax) bytes")
        }
        return path.text
    }

    /// `fd:NUMBER`.
    private static func adoptedServer(_ parts: EndpointDescription) throws(EndpointError) -> AdoptedServerEndpoint {
        try parts.expect(argumentsMax: 1, options: [])
        guard let number = parts.arguments.first else { throw parts.missing("has no descriptor: write fd:NUMBER, as in fd:3") }
        return AdoptedServerEndpoint(descriptor: Int32(try parts.number(number, in: 0...Int(Int32.max), called: "descriptor")))
    }

    /// `tcp:HOST:PORT`, with options.
    private static func tcpClient(_ parts: EndpointDescription) throws(EndpointError) -> TCPClientEndpoint {
        try parts.expect(argumentsMax: 2, options: ["host", "port", "timeout", "bindAddress"])
        let host: EndpointDescription.Part?
        let portArgument: EndpointDescription.Part?
        if let option = parts.options["host"] {
            if let extra = parts.arguments.first { throw parts.error(extra, "is a host too many: host=\(option.text) is there already") }
            (host, portArgument) = (option, nil)
        } else {
            host = parts.arguments.first
            portArgument = parts.arguments.dropFirst().first
        }
        guard let host, !host.text.isEmpty else { throw parts.missing("has no host: write tcp:HOST:PORT, as in tcp:localhost:8007") }
        guard isHost(host.text) else {
            throw parts.error(host, "is no host: give a name or an address, one of IPv6 in brackets, as in tcp:[::1]:8007")
        }
        var target = TCPTarget(host: host.text, port: try portOrService(parts, portArgument))
        if let timeout = try parts.seconds("timeout") { target.timeout = timeout }
        if let local = parts.options["bindAddress"] {
            guard let address = Address(host: local.text, port: 0) else {
                throw parts.error(local, "is no address of this machine: give one in numbers, as in bindAddress=127.0.0.1")
            }
            target.bindAddress = address
        }
        return TCPClientEndpoint(target)
    }

    /// A port by its number or by the name of its service, as the machine's list of services has it.
    private static func portOrService(_ parts: EndpointDescription, _ argument: EndpointDescription.Part?) throws(EndpointError) -> Int {
        guard let part = argument ?? parts.options["port"] else { throw parts.missing("has no port: write tcp:HOST:PORT") }
        let hasBoth = argument != nil && parts.options["port"] != nil
        guard !hasBoth, part.text.contains(where: { $0.isLetter }) else { return try port(parts, argument, in: 1...65535) }
        guard let port = NameResolver.port(ofService: part.text) else {
            throw parts.error(part, "is no port: give a number from 1 to 65535, or the name of a service")
        }
        return port
    }

    /// Whether a text is an address or looks like a name; whether there is such a host, only a look-up can tell.
    ///
    /// Digits and dots alone are an address with a mistake in it.
    private static func isHost(_ text: String) -> Bool {
        if Address(host: text, port: 0) != nil { return true }
        return text.utf8.count <= 253
            && !text.unicodeScalars.contains(where: { $0.properties.isWhitespace || ":/\\[]@\"".unicodeScalars.contains($0) })
            && text.contains(where: \.isLetter)
    }

    /// `unix:PATH`, with options.
    private static func unixClient(_ parts: EndpointDescription) throws(EndpointError) -> UNIXClientEndpoint {
        try parts.expect(argumentsMax: 1, options: ["path", "address", "timeout"])
        var target = UNIXTarget(path: try path(parts))
        if let timeout = try parts.seconds("timeout") { target.timeout = timeout }
        return UNIXClientEndpoint(target)
    }
}
