/// A protocol that goes on when the peer has said that it will send no more: it may still answer.
///
/// Any other protocol's connection is closed as soon as the peer has closed its half, once what was written is sent.
///
/// ```swift
/// final class Sum: Protocol, HalfCloseableProtocol {
///     var sum = 0
///     override func dataReceived(_ data: Span<UInt8>) { for index in data.indices { sum += Int(data[index]) } }
///     func readConnectionLost() {
///         transport.write("\(sum)\r\n")
///         transport.loseConnection()
///     }
///     func writeConnectionLost() {}
/// }
/// ```
///
/// # Contract
/// - Each method is called at most once, before `connectionLost`, which still comes when both halves are closed or the connection breaks.
/// - When the second half closes, `connectionLost` alone is called.
///
/// Twisted: `IHalfCloseableProtocol`.
public protocol HalfCloseableProtocol: Protocol {
    /// Called when the peer has said that it will send no more: no `dataReceived` follows. Writing goes on as before.
    func readConnectionLost() throws

    /// Called when everything that was written before ``Transport/loseWriteConnection()`` has been handed to the system, and the peer
    /// was told that no more will come. Input goes on.
    func writeConnectionLost() throws
}
