/// Carries something of a reactor's through other threads and back to it, unopened.
///
/// Whoever makes one has either made the value on the reactor's thread or was sent it by its only owner, and it is opened on the reactor's thread
/// alone; in between it is only passed on. That is what makes the `@unchecked` true.
package struct ReactorBound<Value>: @unchecked Sendable {
    package let value: Value

    package init(_ value: Value) {
        self.value = value
    }
}
