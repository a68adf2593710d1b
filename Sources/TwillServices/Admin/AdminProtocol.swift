import Twill

/// What the admin endpoint answers with.
struct AdminAnswer {
    var status = "200 OK"
    var type = "text/plain; charset=utf-8"
    var text: String
}

/// One request and its answer, by HTTP/1.0: the connection closes behind it.
///
/// The lines of the request's head are counted and limited, and what follows the head is not looked at. A peer has ten seconds to ask.
final class AdminProtocol: LineReceiver {
    private static let lineBytesMax = 4096
    private static let linesMax = 100
    private static let patience = Duration.seconds(10)

    private let answer: (_ path: Substring) -> Deferred<AdminAnswer>
    private var request: AdminRequest?
    private var lineCount = 0
    private var isAnswering = false

    init(_ answer: @escaping (_ path: Substring) -> Deferred<AdminAnswer>) {
        self.answer = answer
        super.init(delimiter: .any, lengthMax: Self.lineBytesMax)
    }

    override var isBusy: Bool { isAnswering || super.isBusy }

    override func connectionMade() { setTimeout(Self.patience) }

    override func lineReceived(_ line: Span<UInt8>) throws {
        guard !isAnswering else { return }
        lineCount += 1
        do {
            if lineCount == 1 { request = try AdminRequest(String(repairing: line)) }
            if lineCount > Self.linesMax { throw AdminRequest.Refusal.malformed }
        } catch let refusal as AdminRequest.Refusal {
            return send(AdminAnswer(status: refusal.status, text: "\(refusal.status)\n"), headOnly: false)
        }
        guard line.isEmpty, let request else { return }
        isAnswering = true
        answer(request.path).addTimeout(Self.patience / 2, on: transport.reactor).addBoth { [weak self] result in
            switch result {
            case .success(let answer): self?.send(answer, headOnly: request.wantsHeadOnly)
            case .failure(let error):
                let answer = AdminAnswer(status: "503 Service Unavailable", text: "\(error)\n")
                self?.send(answer, headOnly: request.wantsHeadOnly)
            }
        }
    }

    private func send(_ answer: AdminAnswer, headOnly: Bool) {
        var text =
            "HTTP/1.0 \(answer.status)\r\nContent-Type: \(answer.type)\r\nContent-Length: \(answer.text.utf8.count)\r\nConnection: close\r\n\r\n"
        if !headOnly { text += answer.text }
        transport.write(text)
        transport.loseConnection()
    }
}
