/// The list of application protocols as TLS writes it: the names, each with its length before it.
enum ALPN {
    /// Where in the client's list the first of ours stands that is there; nil where none is, or the list is broken.
    static func select(_ ours: [UInt8], from theirs: [UInt8]) -> Range<Int>? {
        for own in names(ours) {
            for name in names(theirs) where theirs[name].elementsEqual(ours[own]) { return name }
        }
        return nil
    }

    private static func names(_ list: [UInt8]) -> [Range<Int>] {
        var names: [Range<Int>] = []
        var start = 0
        while start < list.count {
            let name = start + 1..<start + 1 + Int(list[start])
            guard name.upperBound <= list.count else { break }
            names.append(name)
            start = name.upperBound
        }
        return names
    }
}
