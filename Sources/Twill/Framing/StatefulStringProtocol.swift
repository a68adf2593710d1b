/// A receiver whose next string means something else in each state of the conversation.
///
/// ```swift
/// final class Login: Int16StringReceiver, StatefulStringProtocol {
///     enum State { case name, password(for: String) }
///     var state: State? = .name
///
///     func stringReceived(_ string: Span<UInt8>, in state: State) throws -> State? {
///         switch state {
///         case .name: return .password(for: try String(validating: string))
///         case .password(let name):
///             try sendString("welcome, \(name)")
///             return nil
///         }
///     }
/// }
/// ```
///
/// It is for any ``FrameReceiver``, one of lines too, that does not override `stringReceived` or `lineReceived` itself.
///
/// Twisted: `StatefulStringProtocol`, where the states are names of methods.
public protocol StatefulStringProtocol: FrameReceiver {
    /// The states of the conversation, with what each of them must remember.
    associatedtype State

    /// The state that the next string meets; nil when the conversation is over. Set its first value where it is declared.
    var state: State? { get set }

    /// Called with each string, and with the state that it meets.
    ///
    /// - Returns: the next state; nil ends the conversation and closes the connection.
    func stringReceived(_ string: Span<UInt8>, in state: State) throws -> State?
}

extension StatefulStringProtocol {
    func step(_ string: Span<UInt8>) throws {
        guard let current = state else { return }
        state = try stringReceived(string, in: current)
        if state == nil { stopProducing() }
    }
}
