// How do I read lines and then bytes, with async and await? A small HTTP/1.1 server: a request's head is lines, its body is not.
//
//     swift run AsyncTinyHTTP 8080
//     curl -d "hello" http://127.0.0.1:8080/upper

import Twill

struct Request {
    let line: String
    var keepsOpen = true
    var body = ""
}

struct Refusal: Error {
    let status: String
}

extension Connection {
    /// Reads a request; nil at the end of the connection.
    nonisolated(nonsending) func nextRequest() async throws -> Request? {
        guard let line = try await lines.next() else { return nil }
        var request = Request(line: line)
        var length = 0
        while true {
            guard let header = try await lines.next() else { return nil }
            if header.isEmpty { break }
            let parts = header.split(separator: ":", maxSplits: 1)
            let value = parts.count == 2 ? parts[1].drop { $0 == " " } : ""
            switch parts.first?.lowercased() {
            case "content-length":
                guard let count = Int(value), 0...1_000_000 ~= count else { throw Refusal(status: "400 Bad Request") }
                length = count
            case "connection": request.keepsOpen = value.lowercased() != "close"
            case "transfer-encoding": throw Refusal(status: "501 Not Implemented")
            default: break
            }
        }
        if length > 0 {
            guard let bytes = try await frames(of: FixedSizeFramer(size: length)).next() else { return nil }
            request.body = String(decoding: bytes, as: UTF8.self)
        }
        return request
    }

    nonisolated(nonsending) func respond(_ status: String, _ text: String = "") async throws {
        try await write("HTTP/1.1 \(status)\r\nContent-Length: \(text.utf8.count)\r\nContent-Type: text/plain\r\n\r\n\(text)")
    }
}

@main
struct AsyncTinyHTTP {
    static func main() async throws {
        let port = CommandLine.arguments.dropFirst().first.flatMap(Int.init) ?? 8080
        try await LibeventReactor.run { reactor in
            let server = try reactor.listen("tcp:127.0.0.1:\(port)") { connection in
                do {
                    while let request = try await connection.reactor.withTimeout(.seconds(30), { try await connection.nextRequest() }) {
                        let words = request.line.split(separator: " ")
                        switch (words.first, words.dropFirst().first) {
                        case ("GET", "/"): try await connection.respond("200 OK", "Hello from Twill\n")
                        case ("POST", "/upper"): try await connection.respond("200 OK", request.body.uppercased())
                        case ("GET", _), ("POST", _): try await connection.respond("404 Not Found", "nothing is here\n")
                        default: throw Refusal(status: "405 Method Not Allowed")
                        }
                        if !request.keepsOpen { return }
                    }
                } catch let refusal as Refusal {
                    try await connection.respond(refusal.status)
                }
            }
            print("listening on tcp:\(server.address)")
            try await reactor.waitUntilStopped()
        }
    }
}
