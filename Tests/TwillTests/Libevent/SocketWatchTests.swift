import TestSupport
import Testing

@testable import Twill
@testable import TwillTesting

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

@Suite("Watching a descriptor of one's own", .nothingLivesOn)
struct SocketWatchTests {
    private struct Refusal: Error {}

    @Test func aDescriptorIsReadableOnceThereIsInput() throws {
        let seen = Shared<[String]>([])
        try withReactor { reactor in
            let (near, far) = try socketPair()
            var watch: (any DescriptorWatch)?
            watch = try reactor.watch(near.descriptor, for: .readable) { readiness in
                #expect(readiness == .readable)
                seen.value.append(String(decoding: try near.receive(), as: UTF8.self))
                watch?.cancel()
                reactor.stop()
            }
            reactor.callLater(.milliseconds(10)) {
                #expect(seen.value.isEmpty)
                try far.send("input")
            }
        }
        #expect(seen.value == ["input"])
    }

    @Test func theEndOfAPipeIsReadable() throws {
        let pipe = try DescriptorPipe()
        let reading = RawSocket(descriptor: pipe.reading)
        let writing = RawSocket(descriptor: pipe.writing)
        try withReactor { reactor in
            var watch: (any DescriptorWatch)?
            watch = try reactor.watch(reading.descriptor, for: .readable) { _ in
                watch?.cancel()
                reactor.stop()
            }
            writing.close()
        }
    }

    @Test func aWatchIsNotCalledBetweenTwoRuns() throws {
        let reactor = try LibeventReactor(logger: RecordedLog().logger)
        let (near, far) = try socketPair()
        try far.send("never read")
        let count = Counter()
        let watch = try reactor.watch(near.descriptor, for: .readable) { [unowned reactor] _ in
            #expect(reactor.isRunning)
            count.add()
            reactor.stop()
        }
        try reactor.runToStop()
        let calls = count.value
        #expect(calls > 0)
        // A stop that was asked for between the runs would end this one before the watch is looked at.
        try reactor.runToStop()
        #expect(count.value > calls)
        watch.cancel()
        near.close()
        far.close()
    }

    @Test func readinessIsToldOnEachTurnUntilItIsUsed() throws {
        let count = Counter()
        try withReactor { reactor in
            let (near, far) = try socketPair()
            try far.send("never read")
            var watch: (any DescriptorWatch)?
            watch = try reactor.watch(near.descriptor, for: .readable) { _ in
                if count.add() == 5 {
                    watch?.cancel()
                    near.close()
                    reactor.afterTurns(5) { reactor.stop() }
                }
            }
        }
        #expect(count.value == 5)
    }

    @Test func aDescriptorMayBeReadableAndWritableAtOnce() throws {
        let seen = Shared<[Readiness]>([])
        try withReactor { reactor in
            let (near, far) = try socketPair()
            try far.send("input")
            var watch: (any DescriptorWatch)?
            watch = try reactor.watch(near.descriptor, for: [.readable, .writable]) { readiness in
                seen.value.append(readiness)
                watch?.cancel()
                near.close()
                reactor.stop()
            }
        }
        #expect(seen.value == [[.readable, .writable]])
    }

    @Test func aFullSocketIsWritableOnceItsPeerReads() throws {
        let seen = Shared<[String]>([])
        try withReactor { reactor in
            let (near, far) = try socketPair()
            let filled = fill(near.descriptor)
            var watch: (any DescriptorWatch)?
            watch = try reactor.watch(near.descriptor, for: .writable) { readiness in
                seen.value.append("writable \(readiness == .writable)")
                watch?.cancel()
                near.close()
                reactor.stop()
            }
            reactor.callLater(.milliseconds(10)) {
                seen.value.append("read")
                _ = try far.receive(exactly: filled)
            }
        }
        #expect(seen.value == ["read", "writable true"])
    }

    @Test func droppingAWatchEndsIt() throws {
        try withReactor { reactor in
            let (near, far) = try socketPair()
            var watch: (any DescriptorWatch)? = try reactor.watch(near.descriptor, for: .readable) { _ in
                Issue.record("nobody watches any more")
            }
            _ = watch
            watch = nil
            try far.send("input")
            reactor.callLater(.milliseconds(10)) {
                withExtendedLifetime(near) { reactor.stop() }
            }
        }
    }

    @Test func aWatchMayBeDroppedByItsOwnCall() throws {
        let count = Counter()
        try withReactor { reactor in
            let (near, far) = try socketPair()
            try far.send("input")
            let holder = Holder()
            holder.watch = try reactor.watch(near.descriptor, for: .readable) { _ in
                holder.watch = nil
                count.add()
                reactor.afterTurns(3) { withExtendedLifetime(near) { reactor.stop() } }
            }
        }
        #expect(count.value == 1)
    }

    private final class Holder {
        var watch: (any DescriptorWatch)?
    }

    @Test func aCallThatThrowsIsLoggedAndTheWatchGoesOn() throws {
        let log = RecordedLog()
        let count = Counter()
        try withReactor(log: log) { reactor in
            let (near, far) = try socketPair()
            try far.send("input")
            var watch: (any DescriptorWatch)?
            watch = try reactor.watch(near.descriptor, for: .readable) { _ in
                if count.add() == 1 { throw Refusal() }
                watch?.cancel()
                near.close()
                reactor.stop()
            }
        }
        #expect(count.value == 2)
        #expect(log.count(containing: "a watched descriptor's call threw: Refusal()") == 1)
    }

    @Test func aDescriptorThatIsClosedCanNotBeWatched() throws {
        let reactor = try LibeventReactor()
        let error = #expect(throws: SystemError.self) { _ = try reactor.watch(unusedDescriptor, for: .readable) { _ in } }
        #expect(error?.errno == EBADF)
    }

    #if os(Linux)
    @Test func aRegularFileCanNotBeWatched() throws {
        let file = unsafe tmpfile()
        defer { unsafe fclose(file) }
        let reactor = try LibeventReactor()
        let descriptor = unsafe fileno(file)
        let error = #expect(throws: SystemError.self) { _ = try reactor.watch(descriptor, for: .readable) { _ in } }
        #expect(error?.errno == EPERM)
    }
    #endif
}
