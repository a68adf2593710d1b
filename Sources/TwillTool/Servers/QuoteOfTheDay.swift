import Twill

/// Sends a quote and closes (RFC 865).
final class QuoteOfTheDay: Protocol {
    override func connectionMade() {
        transport.write((Self.quotes.randomElement() ?? "") + "\r\n")
        transport.loseConnection()
    }

    /// By authors whose works belong to everybody. Each has fewer than the 512 characters that the RFC allows, and no more than ASCII.
    static let quotes = [
        "Though this be madness, yet there is method in't. -- William Shakespeare",
        "Truth will sooner come out from error than from confusion. -- Francis Bacon",
        "I have made this longer than usual because I have not had time to make it shorter. -- Blaise Pascal",
        "A little learning is a dangerous thing. -- Alexander Pope",
        "Three may keep a secret, if two of them are dead. -- Benjamin Franklin",
        "What is written without effort is in general read without pleasure. -- Samuel Johnson",
        "I declare after all there is no enjoyment like reading! -- Jane Austen",
        "A foolish consistency is the hobgoblin of little minds. -- Ralph Waldo Emerson",
        "It's no use going back to yesterday, because I was a different person then. -- Lewis Carroll",
        "Experience is the name every one gives to their mistakes. -- Oscar Wilde",
        "Always do right. This will gratify some people and astonish the rest. -- Mark Twain",
    ]
}
