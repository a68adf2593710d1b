// SwiftNIO's echo, to be measured by `bench`: written as its own documentation writes it, on one event loop's thread.
import ArgumentParser
import Foundation
import NIOCore
import NIOPosix

@main
struct SwiftNIOEcho: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "swift-nio-echo",
        abstract: "Sends back every byte by SwiftNIO, to be measured by bench.",
        discussion: """
            One event loop, on a thread of its own. The servers:

              handler   a ChannelHandler, as in SwiftNIO's NIOEchoServer
              async     a task for each NIOAsyncChannel, as in its NIOTCPEchoServer
            """)

    @Argument(help: ArgumentHelp("By what the bytes come back.", valueName: "mode"))
    var mode: Mode

    @Option(help: ArgumentHelp("The port of 127.0.0.1 to listen on; 0 takes any free one.", valueName: "port"))
    var port = 0

    enum Mode: String, CaseIterable, ExpressibleByArgument {
        case handler
        case async
    }

    func run() throws {
        // bench ends its servers with SIGTERM, and takes anything but status 0 for a failure. Nothing has to be put away.
        signal(SIGTERM) { _ in _exit(0) }
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let bootstrap = ServerBootstrap(group: group)
            // As many as the other servers let wait: a load tester that opens thousands at once must not be refused.
            .serverChannelOption(.backlog, value: 4096)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
        Task {
            do {
                switch mode {
                case .handler: try await serveByHandlers(bootstrap)
                case .async: try await serveByTasks(bootstrap)
                }
            } catch {
                SwiftNIOEcho.exit(withError: error)
            }
        }
        // The first thread stays, and sleeps: an asynchronous `main` would end it, of which callgrind dies.
        while true { pause() }
    }

    private func serveByHandlers(_ bootstrap: ServerBootstrap) async throws {
        let server =
            try await bootstrap
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    // Reads no faster than the peer does.
                    try channel.pipeline.syncOperations.addHandler(BackPressureHandler())
                    try channel.pipeline.syncOperations.addHandler(EchoHandler())
                }
            }
            .childChannelOption(.maxMessagesPerRead, value: 16)
            .childChannelOption(.recvAllocator, value: AdaptiveRecvByteBufferAllocator())
            .bind(host: "127.0.0.1", port: port)
            .get()
        sayListening(on: server)
        try await server.closeFuture.get()
    }

    private func serveByTasks(_ bootstrap: ServerBootstrap) async throws {
        let server = try await bootstrap.bind(host: "127.0.0.1", port: port) { channel in
            channel.eventLoop.makeCompletedFuture {
                try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
            }
        }
        sayListening(on: server.channel)
        try await withThrowingDiscardingTaskGroup { group in
            try await server.executeThenClose { connections in
                for try await connection in connections {
                    group.addTask { await echo(connection) }
                }
            }
        }
    }

    /// A connection that breaks ends its own task and no other's.
    private func echo(_ connection: NIOAsyncChannel<ByteBuffer, ByteBuffer>) async {
        do {
            try await connection.executeThenClose { inbound, outbound in
                for try await data in inbound { try await outbound.write(data) }
            }
        } catch {
            FileHandle.standardError.write(Data("swift-nio-echo: \(error)\n".utf8))
        }
    }

    /// Not by `print`, which would wait for a whole page where the reader is bench.
    private func sayListening(on server: any Channel) {
        guard let port = server.localAddress?.port else { return }
        FileHandle.standardOutput.write(Data("listening on tcp:127.0.0.1:\(port)\n".utf8))
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
