/// How many unsent bytes of a connection may wait in this process, and when its producer is told.
///
/// Unsent are the bytes that were written and that the system would not take yet.
///
/// Twisted: the transport's `bufferSize`, which is the high mark; it has no low mark and no limit.
public struct WaterMarks: Sendable, Equatable {
    /// At so many unsent bytes or fewer a paused producer is resumed; 16 KiB by default.
    public var low: Int
    /// Above so many unsent bytes the producer is paused; 64 KiB by default.
    public var high: Int
    /// Above so many unsent bytes the connection is aborted with ``ConnectionLost/unsentLimit``, so that one slow reader cannot take all
    /// memory; 16 MiB by default.
    public var limit: Int

    /// Sets the three marks. A low mark above the high one counts as the high one.
    public init(low: Int = 16 << 10, high: Int = 64 << 10, limit: Int = 16 << 20) {
        self.low = min(low, high)
        self.high = high
        self.limit = limit
    }
}
