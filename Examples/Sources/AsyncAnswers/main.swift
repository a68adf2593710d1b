// How do I answer lines, with async and await? This server looks each of them up in a table.
//
//     swift run AsyncAnswers 8007
//     nc -C 127.0.0.1 8007

import Twill

let answers = ["How are you?": "Fine", "What time is it?": "Time to learn Twill", "Bye": "Goodbye"]

let port = CommandLine.arguments.dropFirst().first.flatMap(Int.init) ?? 8007
let reactor = try LibeventReactor()
let table = answers
let listening = try reactor.listen("tcp:\(port):interface=127.0.0.1") { connection in
    for try await question in connection.lines(delimiter: .any) {
        try await connection.writeLine(table[question] ?? "I don't know what you mean")
        if question == "Bye" { return }
    }
}
print("listening on tcp:\(listening.address)")
try reactor.run()
