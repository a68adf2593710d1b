import Foundation
import Testing

/// What the built tool says to a command line, right or wrong, before it starts anything.
@Suite(.serialized, .timeLimit(.minutes(5)))
struct CommandLineTests {
    @Test func versionIsPrinted() throws {
        let end = try ToolProcess.run("--version")
        #expect(end.status == 0)
        #expect(end.output == "0.1.0\n")
        #expect(end.errors == "")
    }

    @Test(arguments: [
        (["--help"], ["serve", "connect", "load", "forward", "chaos", "tcp:[::1]:8007"]),
        (
            ["serve", "--help"],
            [
                "line-echo", "netstring-echo", "int32-echo", "discard", "chargen", "daytime", "qotd", "udp-echo", "--listen",
                "default: tcp:8007", "udp:127.0.0.1:8007",
            ]
        ),
        (["connect", "--help"], ["<endpoint>", "tcp:HOST:PORT", "unix:PATH", "process:PROGRAM", "--crlf", "Ctrl-D"]),
        (
            ["load", "--help"],
            [
                "--framing", "raw|line|netstring|int32", "--connections", "--size", "--depth", "--duration", "--warmup", "--messages",
                "--json", "default: 10s",
            ]
        ),
        (
            ["forward", "--help"],
            ["twill forward tcp:8000 tcp:127.0.0.1:9000", "<listen>", "<target>", "timeout=SECONDS", "connectionsMax=N", "--verbose"]
        ),
    ])
    func helpTeaches(arguments: [String], words: [String]) throws {
        let end = try ToolProcess.run(arguments)
        #expect(end.status == 0)
        #expect(end.errors == "")
        for word in words {
            #expect(end.output.contains(word), "\(word)")
        }
        #expect(end.output.split(separator: "\n").allSatisfy { $0.count <= 80 || $0.hasPrefix("USAGE:") })
    }

    @Test(arguments: [
        (["frobnicate"], ["frobnicate"]),
        (["serve"], ["<name>"]),
        (["serve", "ecko"], ["ecko", "choose one of echo, line-echo"]),
        (["serve", "echo", "echo"], ["echo"]),
        (["serve", "echo", "--lisen", "tcp:0"], ["--lisen"]),
        (["serve", "echo", "--listen"], ["--listen"]),
        (["serve", "echo", "--listen", "tcp:70000"], ["--listen", "tcp:70000", "0 to 65535"]),
        (["serve", "echo", "--listen", "tcp:http"], ["--listen", "tcp:http", "0 to 65535"]),
        (["serve", "echo", "--listen", "tcp:127.0.0.1:80:90"], ["--listen", "tcp:127.0.0.1:80:90", "\"90\" is too much"]),
        (["serve", "echo", "--listen", "tcp:localhost:0"], ["--listen", "tcp:localhost:0", "address of this machine"]),
        (["serve", "echo", "--listen", "udp:8007"], ["--listen", "udp:8007", "tcp:8007"]),
        (["serve", "echo", "--listen", "8007"], ["--listen", "8007", "tcp"]),
        (["serve", "echo", "--listen", "unix:/tmp/x:mode=999"], ["--listen", "999", "octal"]),
        (["serve", "echo", "--listen", "haproxy:tcp:8007"], ["--listen", "haproxy:tcp:8007", "trust=10.0.0.0/8"]),
        (["serve", "udp-echo", "--listen", "tcp:8007"], ["--listen", "tcp:8007", "udp:8007"]),
        (["serve", "udp-echo", "--listen", "udp:0", "--listen", "udp:localhost:0"], ["udp:localhost:0", "address of this machine"]),
        (["serve", "udp-echo", "--listen", "udp:70000"], ["udp:70000", "0 to 65535"]),
        (["forward", "udp:8000", "tcp:127.0.0.1:9000"], ["udp:8000", "tcp"]),
        (["serve", "echo", "--listen", "tcp:0", "--listen", "tcp:[::1:0"], ["--listen", "tcp:[::1:0", "bracket"]),
        (["serv", "echo"], ["no command 'serv'", "serve, connect, load, forward, chaos"]),
        (["load"], ["<endpoint>"]),
        (["load", "tcp:8007"], ["tcp:8007", "give a name or an address"]),
        (["load", "tcp:127.0.0.1:0"], ["tcp:127.0.0.1:0", "1 to 65535"]),
        (["load", "127.0.0.1:8007"], ["127.0.0.1:8007", "process, tcp, tls, unix"]),
        (["load", "tcp:127.0.0.1:1", "--framing", "xml"], ["--framing", "xml", "raw, line, netstring, int32"]),
        (["load", "tcp:127.0.0.1:1", "--size", "0"], ["--size", "0", "from 1"]),
        (["load", "tcp:127.0.0.1:1", "--size", "-5"], ["--size", "-5", "from 1"]),
        (["load", "tcp:127.0.0.1:1", "--size", "64k"], ["--size", "64k"]),
        (["load", "tcp:127.0.0.1:1", "--size", "1", "--framing", "line"], ["--size", "1", "from 2", "line"]),
        (["load", "tcp:127.0.0.1:1", "--size", "2", "--framing", "netstring"], ["--size", "2", "from 3", "netstring"]),
        (["load", "tcp:127.0.0.1:1", "--size", "3", "--framing", "int32"], ["--size", "3", "from 4", "int32"]),
        (["load", "tcp:127.0.0.1:1", "--connections", "0"], ["--connections", "0", "from 1"]),
        (["load", "tcp:127.0.0.1:1", "--connections", "1000000"], ["--connections", "1000000", "ulimit"]),
        (["load", "tcp:127.0.0.1:1", "--depth", "0"], ["--depth", "0", "from 1"]),
        (["load", "tcp:127.0.0.1:1", "--depth", "65536", "--size", "1000000000"], ["--depth", "--size", "64 GiB"]),
        (["load", "tcp:127.0.0.1:1", "--duration", "0s"], ["--duration", "longer than zero"]),
        (["load", "tcp:127.0.0.1:1", "--duration", "-1s"], ["--duration", "-1s", "10s"]),
        (["load", "tcp:127.0.0.1:1", "--duration", "soon"], ["--duration", "soon", "10s"]),
        (["load", "tcp:127.0.0.1:1", "--warmup", "1h"], ["--warmup", "1h"]),
        (["load", "tcp:127.0.0.1:1", "--messages", "0"], ["--messages", "0", "at least 1"]),
        (["load", "tcp:127.0.0.1:1", "--json", "/no/such/folder/report.json"], ["--json", "/no/such/folder"]),
        (["load", "tcp:127.0.0.1:1", "--json", "/"], ["--json", "folder"]),
        (["serve", "qotd", "--tasks"], ["--tasks", "qotd", "line-echo"]),
        (["connect"], ["<endpoint>"]),
        (["connect", "stdio:"], ["stdio", "process, tcp, tls, unix"]),
        (["forward"], ["<listen>"]),
        (["forward", "tcp:8000"], ["<target>"]),
        (["forward", "8000", "tcp:127.0.0.1:9000"], ["8000", "tcp"]),
        (["forward", "tcp:localhost:8000", "tcp:127.0.0.1:9000"], ["tcp:localhost:8000", "address of this machine"]),
        (["forward", "tcp:8000", "tcp:9000"], ["tcp:9000", "give a name or an address"]),
        (["forward", "tcp:8000", "tcp:127.0.0.1:0"], ["tcp:127.0.0.1:0", "1 to 65535"]),
        (["forward", "tcp:0:connectionsMax=0", "tcp:127.0.0.1:1"], ["connectionsMax", "from 1"]),
        (["forward", "tcp:0", "tcp:127.0.0.1:1:timeout=0"], ["\"0\" is no time", "timeout=30"]),
    ])
    func mistakeIsOneSentenceAndNothingStarts(arguments: [String], words: [String]) throws {
        let end = try ToolProcess.run(arguments)
        #expect(end.status == 64)
        #expect(end.output == "")
        #expect(end.complaints.count == 1, "\(end.errors)")
        for word in words {
            #expect(end.errors.contains(word), "\(word) in \(end.errors)")
        }
    }
}
