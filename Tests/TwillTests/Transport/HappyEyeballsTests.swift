import TestSupport
import Testing

@testable import Twill

@Suite("Which address is tried when", .nothingLivesOn)
struct HappyEyeballsTests {
    private func addresses(_ hosts: String...) -> [Address] {
        hosts.compactMap { Address(host: $0, port: 80) }
    }

    /// The order in which attempts begin where none of them fails.
    private func order(of addresses: [Address]) -> [String] {
        var race = HappyEyeballs(addresses)
        var order: [String] = []
        while case .attempt(let address, let othersRemain) = race.timePassed() {
            order.append(address.host)
            #expect(othersRemain == (order.count < Set(addresses).count))
        }
        return order
    }

    @Test func theFamiliesTakeTurnsBeginningWithTheFirst() {
        #expect(order(of: addresses("::1", "::2", "::3", "1.1.1.1", "2.2.2.2")) == ["::1", "1.1.1.1", "::2", "2.2.2.2", "::3"])
        #expect(order(of: addresses("1.1.1.1", "2.2.2.2", "::1")) == ["1.1.1.1", "::1", "2.2.2.2"])
        #expect(order(of: addresses("1.1.1.1", "2.2.2.2")) == ["1.1.1.1", "2.2.2.2"])
    }

    @Test func anAddressThatIsThereTwiceIsTriedOnce() {
        #expect(order(of: addresses("::1", "::1", "1.1.1.1", "1.1.1.1")) == ["::1", "1.1.1.1"])
    }

    @Test func aFailureGivesTheNextOneItsTurnAtOnce() throws {
        let all = addresses("::1", "1.1.1.1", "::2")
        var race = HappyEyeballs(all)
        #expect(race.timePassed() == .attempt(all[0], othersRemain: true))
        #expect(race.attemptFailed() == .attempt(all[1], othersRemain: true))
        #expect(race.timePassed() == .attempt(all[2], othersRemain: false))
        #expect(race.attemptFailed() == .wait)
        #expect(race.attemptFailed() == .giveUp)
    }

    @Test func whatIsUnderWayIsWaitedFor() {
        let all = addresses("::1", "1.1.1.1")
        var race = HappyEyeballs(all)
        _ = race.timePassed()
        _ = race.timePassed()
        #expect(race.timePassed() == .wait)
        #expect(race.attemptFailed() == .wait)
        #expect(race.attemptFailed() == .giveUp)
    }

    @Test func withoutAddressesThereIsNothingToTry() {
        var race = HappyEyeballs([])
        #expect(race.timePassed() == .giveUp)
    }
}
