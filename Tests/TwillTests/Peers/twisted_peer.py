"""Twisted's own receivers, as the peers that Twill's receivers are tried with; TwistedFramingTests.swift starts it.

    twisted_peer.py talk PLACE FRAMING LENGTH_MAX COUNT OWN_SEED PEERS_SEED whole|cut
        sends as many random messages, and compares those that come with what the peer's seed says
    twisted_peer.py break PLACE LENGTH_MAX FRAMING:HEX ...
        sends one of the streams on each connection, as they stand, and says how each ended
    twisted_peer.py refuse PLACE LENGTH_MAX FRAMING ...
        sends nothing and receives, on one connection after the other, and says how each ended

PLACE is `listen:ENDPOINT`, which prints the port first, 0 where there is none, or `connect:ENDPOINT`; `listen` alone takes any port of 127.0.0.1,
and a number alone is the port there to connect to. Exits 0 where there was nothing to complain of.
"""

import collections
import random
import socket
import sys
import types

from twisted.internet import endpoints, error, interfaces, protocol, reactor
from twisted.protocols import basic
from zope.interface import implementer

# The one who waits for this program gives up after a minute, and would not say how far it came.
DEADLINE_SECONDS = 55
# Small, so that what is on its way is little and the pauses are many.
SOCKET_BUFFER_BYTES = 1 << 18
POOL_BYTES = 1 << 18


class SeededGenerator:
    """SplitMix64, number for number that of the tests in Swift."""

    def __init__(self, seed):
        self.state = seed

    def next(self):
        mask = (1 << 64) - 1
        self.state = (self.state + 0x9E3779B97F4A7C15) & mask
        mixed = self.state
        mixed = ((mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9) & mask
        mixed = ((mixed ^ mixed >> 27) * 0x94D049BB133111EB) & mask
        return mixed ^ mixed >> 31


def random_messages(framing, length_max, count, seed):
    """The messages of a seed; RandomMessages.swift says what they are."""
    generator = SeededGenerator(0)
    pool = b"".join(generator.next().to_bytes(8, "big") for _ in range(POOL_BYTES // 8))
    if framing == "lines":
        pool = pool.replace(b"\r\n", b".\n")
    generator = SeededGenerator(seed)
    widths = length_max.bit_length() + 1
    for _ in range(count):
        kind = generator.next() % 64
        bits = min(generator.next() % widths, generator.next() % widths)
        number = generator.next()
        start = generator.next() % (POOL_BYTES - length_max + 1)
        if kind == 0:
            length = length_max
        elif kind <= 2:
            length = 16384 * (1 + number % 6) + number // 6 % 5 - 2
        else:
            length = number % (1 << bits)
        yield pool[start : start + min(length, length_max)]


# What the tests hang on the receivers: `send` and `message_received` in place of each one's own names, and whether it refused its peer.


class Lines(basic.LineReceiver):
    refused = False
    send = basic.LineReceiver.sendLine

    def lineReceived(self, line):
        self.message_received(line)

    def lineLengthExceeded(self, line):
        self.refused = True
        return basic.LineReceiver.lineLengthExceeded(self, line)


class Strings:
    refused = False

    def send(self, string):
        self.sendString(string)

    def stringReceived(self, string):
        self.message_received(string)

    def lengthLimitExceeded(self, length):
        self.refused = True
        super().lengthLimitExceeded(length)


class Netstrings(Strings, basic.NetstringReceiver):
    @property
    def refused(self):
        return bool(self.brokenPeer)


class Int32Strings(Strings, basic.Int32StringReceiver):
    pass


class Int16Strings(Strings, basic.Int16StringReceiver):
    pass


class Int8Strings(Strings, basic.Int8StringReceiver):
    pass


KINDS = {"lines": Lines, "netstrings": Netstrings, "int32": Int32Strings, "int16": Int16Strings, "int8": Int8Strings}
# What each framing adds to a message, in bytes.
OVERHEADS = {"lines": lambda m: 2, "netstrings": lambda m: len(str(len(m))) + 2, "int32": lambda m: 4, "int16": lambda m: 2, "int8": lambda m: 1}


@implementer(interfaces.IPushProducer)
class WholeMessages:
    """Sends one message after the other as Twisted's receivers do, until the transport has enough."""

    def __init__(self, receiver, messages):
        self.receiver, self.messages = receiver, messages

    def register(self):
        self.receiver.transport.registerProducer(self, True)
        self.resumeProducing()

    def resumeProducing(self):
        self.paused = False
        while not self.paused:
            message = next(self.messages, None)
            if message is None:
                return self.receiver.all_sent()
            self.receiver.send(message)

    def pauseProducing(self):
        self.paused = True

    def stopProducing(self):
        self.paused = True


@implementer(interfaces.IPullProducer)
class RandomPieces:
    """Sends the same stream in pieces of random sizes, each by a system call of its own, so that whatever stands in it is cut somewhere. Every
    second piece ends within a few bytes of a frame's end: in a delimiter, or in the next one's length."""

    def __init__(self, receiver, messages):
        self.receiver, self.messages, self.random = receiver, messages, random.Random(1)
        self.stream = bytearray()
        self.frame_ends = collections.deque()
        # What frames the messages is one of Twisted's receivers too, whose transport is the stream.
        self.encoder = KINDS[receiver.framing]()
        self.encoder.transport = types.SimpleNamespace(write=self.stream.extend)
        self.bits_max = receiver.MAX_LENGTH.bit_length() - 2
        self.sent_bytes = 0
        self.is_through = False

    def register(self):
        self.receiver.transport.registerProducer(self, False)

    def resumeProducing(self):
        self.fill(1)
        size = self.piece_size()
        self.fill(size)
        piece = bytes(self.stream[:size])
        del self.stream[:size]
        self.sent_bytes += len(piece)
        while self.frame_ends and self.frame_ends[0] <= self.sent_bytes:
            self.frame_ends.popleft()
        self.receiver.transport.write(piece)
        if self.is_through and not self.stream:
            self.receiver.all_sent()

    def fill(self, size):
        while len(self.stream) < size and not self.is_through:
            message = next(self.messages, None)
            if message is None:
                self.is_through = True
            else:
                self.encoder.send(message)
                self.frame_ends.append(self.sent_bytes + len(self.stream))

    def piece_size(self):
        if self.random.random() < 0.5 and self.frame_ends:
            return max(1, self.frame_ends[0] - self.sent_bytes + self.random.randint(-3, 4))
        return self.random.randint(1, 1 << self.random.randint(0, self.bits_max))

    def stopProducing(self):
        pass


@implementer(interfaces.IHalfCloseableProtocol)
class Talk:
    """Sends its own messages and compares the peer's with those of the seed, both at once; each side ends its stream behind its last message."""

    sends_more = peer_sends_more = True
    received_count = received_bytes = stream_bytes = expected_stream_bytes = 0
    complaint = None

    def connectionMade(self):
        if self.transport.getHandle().family != socket.AF_UNIX:
            self.transport.setTcpNoDelay(True)
        for option in socket.SO_SNDBUF, socket.SO_RCVBUF:
            self.transport.getHandle().setsockopt(socket.SOL_SOCKET, option, SOCKET_BUFFER_BYTES)
        # The peer shall meet one that does not read, while it is sent to.
        self.transport.pauseProducing()
        self.incoming = random_messages(self.framing, self.MAX_LENGTH, self.count, self.peers_seed)
        self.sender(self, self.outgoing()).register()

    def outgoing(self):
        for number, message in enumerate(random_messages(self.framing, self.MAX_LENGTH, self.count, self.own_seed)):
            if number == self.count // 4:
                self.transport.resumeProducing()
            yield message

    def all_sent(self):
        self.sends_more = False
        self.transport.unregisterProducer()
        self.close_halves()

    def close_halves(self):
        if self.peer_sends_more:
            self.transport.loseWriteConnection()
        elif not self.sends_more:
            self.transport.loseConnection()

    def dataReceived(self, data):
        self.stream_bytes += len(data)
        super().dataReceived(data)

    def message_received(self, message):
        expected = next(self.incoming, None)
        if expected is None:
            return self.complain("a message of %d bytes came behind the last" % len(message))
        if message != expected:
            return self.complain("message %d has %d bytes and came as %d others" % (self.received_count, len(expected), len(message)))
        self.received_count += 1
        self.received_bytes += len(message)
        self.expected_stream_bytes += len(message) + OVERHEADS[self.framing](message)

    def complain(self, sentence):
        if self.complaint is None:
            self.complaint = sentence
            self.transport.abortConnection()

    def readConnectionLost(self):
        self.peer_sends_more = False
        if self.received_count != self.count:
            self.complain("the stream ended too early")
        elif self.stream_bytes != self.expected_stream_bytes:
            self.complain("%d bytes came behind the last message" % (self.stream_bytes - self.expected_stream_bytes))
        elif not self.sends_more:
            self.close_halves()

    def writeConnectionLost(self):
        pass

    def connectionLost(self, reason):
        if reason.check(error.ConnectionDone) and not self.peer_sends_more and not self.sends_more:
            return finish("agreed on %d messages of %d bytes" % (self.received_count, self.received_bytes))
        complaint = self.complaint or ("the peer was refused" if self.refused else "the connection was lost")
        finish("%s, when %d messages had come: %s" % (complaint, self.received_count, reason.value), status=1)


class Breach:
    """Sends a stream as it stands."""

    def connectionMade(self):
        self.received_count = 0
        self.transport.write(self.stream)

    def message_received(self, message):
        self.received_count += 1

    def connectionLost(self, reason):
        print(self.received_count, "refused" if self.refused else "went along", reason.type.__name__, flush=True)
        self.factory.one_ended()


class Script(protocol.Factory):
    """Plays one part after the other, a connection for each."""

    def __init__(self, parts, place):
        self.parts = parts
        if place == "listen":
            place = "listen:tcp:0:interface=127.0.0.1"
        elif place.isdigit():
            place = "connect:tcp:127.0.0.1:" + place
        verb, _, endpoint = place.partition(":")
        self.listens = verb == "listen"
        self.endpoint = {"listen": endpoints.serverFromString, "connect": endpoints.clientFromString}[verb](reactor, endpoint)

    def start(self):
        if self.listens:
            self.endpoint.listen(self).addCallbacks(self.listening, self.failed)
        else:
            self.endpoint.connect(self).addErrback(self.failed)

    def listening(self, port):
        print(getattr(port.getHost(), "port", 0), flush=True)

    def buildProtocol(self, address):
        part = self.parts.pop(0)()
        part.factory = self
        return part

    def one_ended(self):
        if not self.parts:
            finish()
        elif not self.listens:
            self.start()

    def failed(self, reason):
        finish("could not begin: %s" % reason.value, status=1)


outcome = types.SimpleNamespace(sentence="the time was over", status=1)


def finish(sentence="", status=0):
    outcome.sentence, outcome.status = sentence, status
    if reactor.running:
        reactor.stop()


def part(behaviour, framing, length_max, **attributes):
    return type(behaviour.__name__, (behaviour, KINDS[framing]), dict(attributes, framing=framing, MAX_LENGTH=length_max))


def talk(framing, length_max, count, own_seed, peers_seed, writing):
    sender = {"whole": WholeMessages, "cut": RandomPieces}[writing]
    return [part(Talk, framing, int(length_max), count=int(count), own_seed=int(own_seed), peers_seed=int(peers_seed), sender=sender)]


def breaches(length_max, *streams):
    pairs = [stream.partition(":") for stream in streams]
    return [part(Breach, framing, int(length_max), stream=bytes.fromhex(hexadecimal)) for framing, _, hexadecimal in pairs]


def main(what, place, *arguments):
    parts = {"talk": talk, "break": breaches, "refuse": breaches}[what](*arguments)
    script = Script(parts, place)
    reactor.callWhenRunning(script.start)
    reactor.callLater(DEADLINE_SECONDS, reactor.stop)
    reactor.run()
    if outcome.sentence:
        print(outcome.sentence)
    sys.exit(outcome.status)


main(*sys.argv[1:])
