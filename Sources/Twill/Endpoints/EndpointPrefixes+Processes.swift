/// The prefixes of processes: this one's standard input and output, and programs to start.
extension EndpointPrefixes {
    /// `stdio:`, or `stdio`.
    static func standardIO(_ parts: EndpointDescription) throws(EndpointError) -> StandardIOEndpoint {
        // What stands behind the colon is empty.
        if parts.arguments.first?.text != "" || parts.arguments.count > 1 { try parts.expect(argumentsMax: 0, options: []) }
        try parts.expect(argumentsMax: 1, options: [])
        return StandardIOEndpoint()
    }

    /// `process:PROGRAM:ARGUMENT:…`, with options.
    static func process(_ parts: EndpointDescription) throws(EndpointError) -> ProcessClientEndpoint {
        try parts.expect(argumentsMax: .max, options: ["directory", "grace", "errors"])
        guard let program = parts.arguments.first, !program.text.isEmpty else {
            throw parts.missing("has no program: write process:PROGRAM, as in process:/bin/cat")
        }
        var command = ProcessCommand(program.text, arguments: parts.arguments.dropFirst().map(\.text))
        command.workingDirectory = parts.options["directory"]?.text
        var endpoint = ProcessClientEndpoint(command)
        if let grace = try parts.seconds("grace") { endpoint.grace = grace }
        if let errors = parts.options["errors"] {
            guard let known = ProcessClientEndpoint.Errors(rawValue: errors.text.lowercased()) else {
                let names = ProcessClientEndpoint.Errors.allCases.map(\.rawValue).joined(separator: ", ")
                throw parts.error(errors, "is nothing to do with standard error: give one of \(names)")
            }
            endpoint.errors = known
        }
        return endpoint
    }
}
