// SwiftNIO's echo by TLS, to be measured by `bench`: NIOSSL's handler in front of the echo, on one event loop's thread.
import ArgumentParser
import Foundation
import NIOCore
import NIOPosix
import NIOSSL

@main
struct SwiftNIOTLS: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "swift-nio-tls", abstract: "Sends back every byte by SwiftNIO and NIOSSL, to be measured by bench.")

    @Option(help: "The certificate's file.")
    var cert: String

    @Option(help: "The key's file.")
    var key: String

    func run() throws {
        signal(SIGTERM) { _ in _exit(0) }
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: try NIOSSLCertificate.fromPEMFile(cert).map { .certificate($0) },
            privateKey: .privateKey(try NIOSSLPrivateKey(file: key, format: .pem)))
        configuration.minimumTLSVersion = .tlsv12
        let context = try NIOSSLContext(configuration: configuration)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let server = try ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 4096)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: context))
                    try channel.pipeline.syncOperations.addHandler(BackPressureHandler())
                    try channel.pipeline.syncOperations.addHandler(EchoHandler())
                }
            }
            .childChannelOption(.maxMessagesPerRead, value: 16)
            .childChannelOption(.recvAllocator, value: AdaptiveRecvByteBufferAllocator())
            .bind(host: "127.0.0.1", port: 0)
            .wait()
        guard let port = server.localAddress?.port else { return }
        FileHandle.standardOutput.write(Data("listening on tcp:127.0.0.1:\(port)\n".utf8))
        try server.closeFuture.wait()
    }
}

private final class EchoHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        context.write(data, promise: nil)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        context.flush()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
