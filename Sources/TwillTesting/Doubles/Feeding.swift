public import Twill

/// Delivers bytes to a protocol as a reactor does, in pieces; what the protocol answered is in the transport that is returned.
///
/// A protocol that has no connection is connected to a new ``StringTransport`` first. What it does not take, because it paused or closed, stays in
/// ``StringTransport/unread``, and goes first when it is fed again.
///
/// ```swift
/// let transport = try feed(Echo(), "hello", chunked: .byteByByte)
/// #expect(transport.text == "hello")
/// ```
///
/// - Throws: what a callback throws; the transport was closed for it by then, as a reactor closes a connection.
/// - Precondition: the protocol is connected to nothing but a ``StringTransport``, and has not been told of its loss.
@discardableResult
public func feed(_ handler: Protocol, _ bytes: [UInt8], chunked chunking: Chunking = .whole) throws -> StringTransport {
    let transport: StringTransport
    if let own = handler.transport as? StringTransport {
        transport = own
    } else {
        precondition(handler.transport.state == .disconnected, "the protocol has a connection: let its peer write instead of feeding it")
        transport = StringTransport()
        try transport.connect(handler)
    }
    try transport.receive(bytes, chunked: chunking)
    return transport
}

/// Delivers a text's UTF-8; see ``feed(_:_:chunked:)-(_,[UInt8],_)``.
@discardableResult
public func feed(_ handler: Protocol, _ text: String, chunked chunking: Chunking = .whole) throws -> StringTransport {
    try feed(handler, Array(text.utf8), chunked: chunking)
}
