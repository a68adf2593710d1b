import ArgumentParser

/// `--server`: some of the servers, where a measurement of all would take longer than one has.
struct ServerChoice: ParsableArguments {
    @Option(
        name: .customLong("server"), parsing: .upToNextOption,
        help: ArgumentHelp("Only these servers, by name; a gate that lacks one of its own isn't judged.", valueName: "name"))
    var chosen: [Server] = []

    func among(_ servers: [Server]) -> [Server] {
        chosen.isEmpty ? servers : servers.filter(chosen.contains)
    }
}

/// `--scenario` and `--server`: some of the loads, and some of the servers under them.
struct ScenarioChoice: ParsableArguments {
    @Option(
        name: .customLong("scenario"), parsing: .upToNextOption, help: ArgumentHelp("Only these scenarios, by name.", valueName: "name"))
    var chosen: [String] = []

    @OptionGroup var servers: ServerChoice

    /// The chosen ones, each with those of the chosen servers that take part in it.
    func among(_ scenarios: [Scenario]) throws -> [Scenario] {
        for name in chosen where !scenarios.contains(where: { $0.name == name }) {
            let known = scenarios.map(\.name).joined(separator: ", ")
            throw ValidationError("There is no scenario '\(name)' here; give one or more of \(known).")
        }
        let some = scenarios.filter { chosen.isEmpty || chosen.contains($0.name) }
            .map { $0.with(servers.among($0.servers)) }
            .filter { !$0.servers.isEmpty }
        guard !some.isEmpty else { throw ValidationError("None of the servers given is measured there; --help says where each is.") }
        return some
    }
}
