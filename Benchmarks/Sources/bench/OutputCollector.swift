import Foundation
import Synchronization

/// Drains one output of a child on a thread of its own, so that the child never blocks on a full pipe, and keeps what came first.
///
/// The first 64 KiB hold the line that says a server is ready and the sentence that says why it isn't.
final class OutputCollector: Sendable {
    private static let keptBytesMax = 65_536
    private let bytes = Mutex<[UInt8]>([])

    /// Takes over the descriptor, and closes it when the child has closed its end.
    init(draining descriptor: Int32) {
        Thread.detachNewThread { [self] in
            let pipe = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
            while true {
                let data = pipe.availableData
                if data.isEmpty { return }
                bytes.withLock { $0.append(contentsOf: data.prefix(max(0, Self.keptBytesMax - $0.count))) }
            }
        }
    }

    var text: String {
        String(decoding: bytes.withLock { $0 }, as: UTF8.self)
    }
}
