/// Why a connection was refused: the factory gave a protocol for it that has, or had, another connection.
///
/// A protocol knows one peer only; what it answers would go to the wrong one.
struct ProtocolReuse: Error, CustomStringConvertible {
    let name: String

    var description: String {
        "the factory gave a \(name) that has, or had, another connection: it must make a new one for each, as Factory { \(name)(…) } does"
    }
}
