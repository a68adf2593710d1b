"""The other side of a TLS connection: Python's own ssl module, or Twisted.

    tls_peer.py python client PORT ROOTS     says hello, and prints the answer and how the connection ended
    tls_peer.py python server CERT KEY       prints its port, answers one client, and prints how the connection ended
    tls_peer.py twisted client PORT ROOTS    the same with Twisted
    tls_peer.py twisted server CERT KEY
"""

import socket
import ssl
import sys


def finish(connection):
    """Reads to the end, answers the end, and says how it ended."""
    received = b""
    try:
        while True:
            data = connection.recv(65536)
            if not data:
                break
            received += data
        print("the end was said by TLS", flush=True)
        connection.unwrap()
    except ssl.SSLEOFError:
        print("the connection was cut", flush=True)
    except OSError as error:
        print(type(error).__name__, flush=True)
    return received


def python_client(port, roots):
    context = ssl.create_default_context(cafile=roots)
    with socket.create_connection(("127.0.0.1", int(port)), 30) as plain:
        connection = context.wrap_socket(plain, server_hostname="localhost", suppress_ragged_eofs=False)
        print(connection.version(), flush=True)
        connection.sendall(b"hello")
        print(finish(connection).decode(), flush=True)


def python_server(certificate, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        listener.settimeout(30)
        plain, _ = listener.accept()
        with plain:
            plain.settimeout(30)
            connection = context.wrap_socket(plain, server_side=True, suppress_ragged_eofs=False)
            connection.sendall(connection.recv(100) + b" to you")
            finish(connection)


def twisted_factory(protocol, reactor, speaks_first):
    from twisted.internet.error import ConnectionDone

    class Peer(protocol.Protocol):
        received = b""

        def connectionMade(self):
            if speaks_first:
                self.transport.write(b"hello")

        def dataReceived(self, data):
            self.received += data
            if not speaks_first:
                self.transport.write(data + b" to you")

        def connectionLost(self, reason):
            if speaks_first:
                print(self.received.decode(), flush=True)
            print("the end was said by TLS" if reason.check(ConnectionDone) else "lost: %s" % reason.getErrorMessage(), flush=True)
            reactor.stop()

    return protocol.Factory.forProtocol(Peer)


def twisted_client(port, roots):
    from twisted.internet import endpoints, protocol, reactor, ssl as tls

    with open(roots) as file:
        authority = tls.Certificate.loadPEM(file.read())
    options = tls.optionsForClientTLS("localhost", authority)
    plain = endpoints.HostnameEndpoint(reactor, "127.0.0.1", int(port))
    endpoints.wrapClientTLS(options, plain).connect(twisted_factory(protocol, reactor, True))
    reactor.callLater(30, reactor.stop)
    reactor.run()


def twisted_server(certificate, key):
    from twisted.internet import protocol, reactor, ssl as tls

    with open(certificate) as one, open(key) as other:
        options = tls.PrivateCertificate.loadPEM(one.read() + other.read()).options()
    port = reactor.listenSSL(0, twisted_factory(protocol, reactor, False), options, interface="127.0.0.1")
    print(port.getHost().port, flush=True)
    reactor.callLater(30, reactor.stop)
    reactor.run()


if __name__ == "__main__":
    globals()["%s_%s" % (sys.argv[1], sys.argv[2])](*sys.argv[3:])
