extension ProxyHeader {
    /// What a proxy that has ended the client's TLS says of it.
    ///
    /// ```swift
    /// guard let name = transport.proxied?.header.ssl?.identity else { return transport.loseConnection() }
    /// print("welcome, \(name)")
    /// ```
    ///
    /// ``identity`` is the one property to decide by: the common name alone is what any certificate says of itself.
    public struct SSL: Hashable, Sendable {
        /// What there was of the client's.
        public struct Client: OptionSet, Hashable, Sendable {
            public let rawValue: UInt8

            public init(rawValue: UInt8) { self.rawValue = rawValue }

            /// It has connected by TLS (`PP2_CLIENT_SSL`).
            public static let ssl = Client(rawValue: 1)
            /// It has shown a certificate on this connection (`PP2_CLIENT_CERT_CONN`).
            public static let certificateOnConnection = Client(rawValue: 2)
            /// It has shown a certificate in the TLS session that this connection goes on with (`PP2_CLIENT_CERT_SESS`).
            public static let certificateInSession = Client(rawValue: 4)
        }

        /// What there was of the client's.
        public let client: Client
        /// Zero where the client's certificate was verified, or where it had none: see ``isVerified``.
        public let verify: UInt32
        /// The version of TLS: `TLSv1.3`.
        public let version: String?
        /// The common name of the client's certificate, verified or not.
        public let commonName: String?
        /// The cipher: `TLS_AES_256_GCM_SHA384`.
        public let cipher: String?
        /// What the proxy's own certificate was signed with: `RSA-SHA256`.
        public let signatureAlgorithm: String?
        /// The key of the proxy's own certificate: `RSA2048`.
        public let keyAlgorithm: String?
        /// All values that belong to it, those of unknown types too.
        public let tlvs: [TLV]

        /// Whether the client has shown a certificate, on this connection or in its session, and the proxy has verified it.
        public var isVerified: Bool {
            verify == 0 && client.contains(.ssl) && !client.isDisjoint(with: [.certificateOnConnection, .certificateInSession])
        }

        /// The common name of a client whose certificate was verified; nil for everybody else.
        public var identity: String? { isVerified && commonName?.isEmpty == false ? commonName : nil }

        /// Where the TLVs inside of it begin.
        static let fixedByteCount = 5

        /// Reads the value of the TLV, which the parser has looked at; nil for one that is too short.
        init?(_ value: [UInt8]) {
            guard value.count >= Self.fixedByteCount else { return nil }
            let tlvs = ProxyHeader.tlvs(of: Array(value[Self.fixedByteCount...]))
            let text = { (type: UInt8) in
                tlvs.first { $0.type == type }.flatMap { String(validating: $0.value, as: UTF8.self) }
            }
            client = Client(rawValue: value[0])
            verify = UInt32(bytes: value[1..<Self.fixedByteCount])
            version = text(TLVType.sslVersion)
            commonName = text(TLVType.sslCommonName)
            cipher = text(TLVType.sslCipher)
            signatureAlgorithm = text(TLVType.sslSignatureAlgorithm)
            keyAlgorithm = text(TLVType.sslKeyAlgorithm)
            self.tlvs = tlvs
        }
    }
}
