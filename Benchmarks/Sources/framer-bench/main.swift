// What one framer costs, without a reactor: `framer-bench NAME FRAMES` takes 64 KiB chunks of 64-byte messages apart until it has seen that
// many, and prints the nanoseconds of its own thread for each. `bench framers` runs it, and counts its instructions with callgrind.
import Foundation
import Twill

/// Something that takes a stream apart: how it is fed, and the stream that it is fed with.
struct Subject {
    let name: String
    let stream: [UInt8]
    let makeCounter: () -> (Span<UInt8>) throws -> Int
}

/// Frames of 64 bytes on the wire, enough for many chunks that begin anywhere in a frame.
func stream(of framer: some Framer, payload count: Int) -> [UInt8] {
    var stream: [UInt8] = []
    let payload = [UInt8](repeating: UInt8(ascii: "x"), count: count)
    for _ in 0..<chunkBytes / 8 { framer.encode(payload, into: &stream) }
    return stream
}

/// A framer by itself.
func bare<F: Framer>(_ name: String, _ framer: F, payload count: Int) -> Subject {
    Subject(name: name, stream: stream(of: framer, payload: count)) {
        var framer = framer
        return { chunk in
            var frames = 0
            try framer.forEachFrame(in: chunk) { _ in frames &+= 1 }
            return frames
        }
    }
}

final class Lines: LineReceiver {
    var count = 0
    override func lineReceived(_ line: Span<UInt8>) { count &+= 1 }
}

final class Netstrings: NetstringReceiver {
    var count = 0
    override func stringReceived(_ string: Span<UInt8>) { count &+= 1 }
}

final class Strings: Int32StringReceiver {
    var count = 0
    override func stringReceived(_ string: Span<UInt8>) { count &+= 1 }
}

// A little less than 64 KiB, so that each chunk ends in another place of a frame.
let chunkBytes = (64 << 10) - 21

let subjects: [Subject] = [
    bare("line", LineFramer(), payload: 62),
    bare("line-lf", LineFramer(delimiter: .lf), payload: 63),
    bare("line-any", LineFramer(delimiter: .any), payload: 62),
    bare("netstring", NetstringFramer(), payload: 60),
    bare("length-8", LengthPrefixFramer(.uint8), payload: 63),
    bare("length-16", LengthPrefixFramer(.uint16), payload: 62),
    bare("length-32", LengthPrefixFramer(.uint32), payload: 60),
    bare("length-64", LengthPrefixFramer(.uint64), payload: 56),
    bare("fixed-size", FixedSizeFramer(size: 64), payload: 64),
    Subject(name: "LineReceiver", stream: stream(of: LineFramer(), payload: 62)) {
        let receiver = Lines()
        return { chunk in
            try receiver.dataReceived(chunk)
            defer { receiver.count = 0 }
            return receiver.count
        }
    },
    Subject(name: "NetstringReceiver", stream: stream(of: NetstringFramer(), payload: 60)) {
        let receiver = Netstrings()
        return { chunk in
            try receiver.dataReceived(chunk)
            defer { receiver.count = 0 }
            return receiver.count
        }
    },
    Subject(name: "Int32StringReceiver", stream: stream(of: LengthPrefixFramer(.uint32), payload: 60)) {
        let receiver = Strings()
        return { chunk in
            try receiver.dataReceived(chunk)
            defer { receiver.count = 0 }
            return receiver.count
        }
    },
]

func threadNanoseconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) * 1e9 + Double(time.tv_nsec)
}

/// Feeds chunks until so many frames have come out.
func measure(_ subject: Subject, frames wanted: Int) throws -> Double {
    let count = subject.makeCounter()
    let stream = subject.stream
    var frames = 0
    let start = threadNanoseconds()
    while frames < wanted {
        var position = 0
        while position < stream.count, frames < wanted {
            let end = min(position + chunkBytes, stream.count)
            frames += try count(stream.span.extracting(position..<end))
            position = end
        }
    }
    return (threadNanoseconds() - start) / Double(frames)
}

let arguments = CommandLine.arguments.dropFirst()
if arguments.isEmpty {
    print(subjects.map(\.name).joined(separator: "\n"))
} else if let subject = subjects.first(where: { $0.name == arguments.first }), let frames = arguments.last.flatMap({ Int($0) }), frames > 0
{
    print(try measure(subject, frames: frames))
} else {
    FileHandle.standardError.write(
        Data("framer-bench: takes no arguments, or NAME FRAMES, where NAME is one that it prints without any\n".utf8))
    exit(64)
}
