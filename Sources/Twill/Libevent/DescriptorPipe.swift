import CLibevent

/// The two ends of a new pipe, which belong to whoever made it.
///
/// They are closed on exec from the first moment on, so that no child that another thread starts at that moment keeps one of them open.
package struct DescriptorPipe {
    package let reading, writing: CInt

    package init() throws(SystemError) {
        var (reading, writing): (CInt, CInt) = (-1, -1)
        // The call fills two numbers of this frame's own.
        guard unsafe twill_pipe(&reading, &writing) == 0 else { throw SystemError(call: "pipe") }
        (self.reading, self.writing) = (reading, writing)
    }

    package func close() {
        systemClose(reading)
        systemClose(writing)
    }
}
