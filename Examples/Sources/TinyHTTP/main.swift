// How do I read lines and then bytes? A small HTTP/1.1 server: a request's head is lines, its body is not.
//
//     swift run TinyHTTP 8080
//     curl -d "hello" http://127.0.0.1:8080/upper

import Twill

final class HTTP: LineReceiver {
    private var requestLine = ""
    private var bodyLeft = 0
    private var keepsOpen = true
    private var body: [UInt8] = []

    override func connectionMade() { setTimeout(.seconds(30)) }

    override func lineReceived(_ line: Span<UInt8>) throws {
        resetTimeout()
        let text = try String(validating: line)
        if requestLine.isEmpty {
            requestLine = text
        } else if !text.isEmpty {
            try headerReceived(text)
        } else if bodyLeft > 0 {
            setRawMode()
        } else {
            answer()
        }
    }

    private func headerReceived(_ line: String) throws {
        let parts = line.split(separator: ":", maxSplits: 1)
        let value = parts.count == 2 ? parts[1].drop { $0 == " " } : ""
        switch parts.first?.lowercased() {
        case "content-length":
            guard let length = Int(value), 0...1_000_000 ~= length else { return reject("400 Bad Request") }
            bodyLeft = length
        case "connection": keepsOpen = value.lowercased() != "close"
        case "transfer-encoding": reject("501 Not Implemented")
        default: break
        }
    }

    override func rawDataReceived(_ data: Span<UInt8>) throws {
        let count = min(bodyLeft, data.count)
        body.append(copying: data.extracting(first: count))
        bodyLeft -= count
        guard bodyLeft == 0 else { return }
        answer()
        // What follows the body is the next request.
        try setLineMode(data.extracting(droppingFirst: count))
    }

    private func answer() {
        let words = requestLine.split(separator: " ")
        switch (words.first, words.dropFirst().first) {
        case ("GET", "/"): respond("200 OK", "Hello from Twill\n")
        case ("POST", "/upper"): respond("200 OK", String(decoding: body, as: UTF8.self).uppercased())
        case ("GET", _), ("POST", _): respond("404 Not Found", "nothing is here\n")
        default: return reject("405 Method Not Allowed")
        }
        (requestLine, body) = ("", [])
        if !keepsOpen { transport.loseConnection() }
    }

    private func respond(_ status: String, _ text: String) {
        transport.write("HTTP/1.1 \(status)\r\nContent-Length: \(text.utf8.count)\r\nContent-Type: text/plain\r\n\r\n\(text)")
    }

    private func reject(_ status: String) {
        respond(status, "")
        transport.loseConnection()
    }
}

let port = CommandLine.arguments.dropFirst().first.flatMap(Int.init) ?? 8080
let reactor = try LibeventReactor()
let listening = try reactor.listenTCP(port: port, factory: Factory { HTTP() }, interface: "127.0.0.1")
print("listening on tcp:\(listening.address)")
try reactor.run()
