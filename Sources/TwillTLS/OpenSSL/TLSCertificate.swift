import COpenSSL
import Twill

/// A certificate: what its owner shows, and who vouches for it.
///
/// ```swift
/// final class Shop: LineReceiver {
///     override func connectionMade() {
///         if let certificate = transport.tls?.peerCertificate { print(certificate.subject, certificate.fingerprint) }
///     }
/// }
/// ```
///
/// A plain value, safe to keep and to hand to other threads.
///
/// Twisted: `twisted.internet.ssl.Certificate`.
public struct TLSCertificate: Sendable, Hashable {
    /// The certificate itself, as DER.
    public let der: [UInt8]
    /// Whose it is, as RFC 2253 writes it: "CN=example.com,O=Example".
    public let subject: String
    /// Who has signed it.
    public let issuer: String
    /// The names of hosts that it is for, wildcards among them (SAN).
    public let hostNames: [String]
    /// The IP addresses that it is for (SAN).
    public let addresses: [String]
    /// When it begins to be valid.
    public let validFrom: TLSTime
    /// When it ends to be valid.
    public let validUntil: TLSTime
    /// The SHA-256 of the certificate.
    public let fingerprint: TLSFingerprint
    /// The SHA-256 of its public key, which stays when a certificate is renewed with the same key.
    public let keyFingerprint: TLSFingerprint

    init(_ certificate: OpaquePointer) {
        der = unsafe Self.bytes { output in unsafe i2d_X509(certificate, output) }
        subject = unsafe Self.name(X509_get_subject_name(certificate))
        issuer = unsafe Self.name(X509_get_issuer_name(certificate))
        (hostNames, addresses) = unsafe Self.alternativeNames(certificate)
        validFrom = TLSTime(secondsSince1970: unsafe Int(twill_seconds(X509_get0_notBefore(certificate))))
        validUntil = TLSTime(secondsSince1970: unsafe Int(twill_seconds(X509_get0_notAfter(certificate))))
        fingerprint = TLSFingerprint(of: der)
        keyFingerprint = unsafe TLSFingerprint(
            of: Self.bytes { output in unsafe i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), output) })
    }

    /// What one of OpenSSL's encoders writes: it is asked for the size first, and writes then.
    private static func bytes(_ encode: (UnsafeMutablePointer<UnsafeMutablePointer<UInt8>?>?) -> CInt) -> [UInt8] {
        let size = encode(nil)
        guard size > 0 else { return [] }
        return unsafe [UInt8](unsafeUninitializedCapacity: Int(size)) { buffer, count in
            var end = buffer.baseAddress
            count = unsafe max(0, Int(encode(&end)))
        }
    }

    private static func name(_ name: OpaquePointer?) -> String {
        guard let name = unsafe name, let memory = unsafe BIO_new(BIO_s_mem()) else { return "" }
        defer { unsafe BIO_free(memory) }
        unsafe X509_NAME_print_ex(memory, name, 0, twill_name_style)
        var bytes: UnsafeMutablePointer<CChar>?
        let count = unsafe twill_memory_data(memory, &bytes)
        guard let bytes = unsafe bytes else { return "" }
        // The BIO keeps them; they are copied.
        let text = unsafe String(decoding: UnsafeRawBufferPointer(start: bytes, count: count), as: UTF8.self)
        // It is the peer's to choose, and goes into logs.
        return String(String.UnicodeScalarView(text.unicodeScalars.map { $0.properties.generalCategory == .control ? "\u{FFFD}" : $0 }))
    }

    private static func alternativeNames(_ certificate: OpaquePointer) -> ([String], [String]) {
        guard let names = unsafe twill_names(certificate) else { return ([], []) }
        defer { unsafe GENERAL_NAMES_free(names) }
        var hosts: [String] = []
        var addresses: [String] = []
        let nameCount = unsafe twill_name_count(names)
        for index in 0..<nameCount {
            var bytes: UnsafePointer<UInt8>?
            var count: CInt = 0
            let kind = unsafe twill_name(names, index, &bytes, &count)
            // The list of names keeps them; they are copied.
            let value = unsafe [UInt8](UnsafeBufferPointer(start: bytes, count: Int(count)))
            if kind == twill_name_host {
                // A name with anything else in it is none; without that it would be another one.
                if value.allSatisfy({ (0x21...0x7E).contains($0) }) { hosts.append(String(decoding: value, as: UTF8.self)) }
            } else if kind == twill_name_address, let address = Address(ipBytes: value) {
                addresses.append(address.host)
            }
        }
        return (hosts, addresses)
    }
}

extension TLSCertificate: CustomStringConvertible {
    public var description: String { subject }
}

/// The SHA-256 of a certificate or of a public key.
public struct TLSFingerprint: Sendable, Hashable, CustomStringConvertible {
    /// The 32 bytes.
    public let bytes: [UInt8]

    /// The SHA-256 of bytes.
    public init(of data: [UInt8]) {
        bytes = unsafe [UInt8](unsafeUninitializedCapacity: 64) { buffer, count in
            var size: UInt32 = 0
            // At most 64 bytes are written, which is the longest digest that OpenSSL has.
            unsafe EVP_Digest(data, data.count, buffer.baseAddress, &size, EVP_sha256(), nil)
            count = Int(size)
        }
    }

    /// Reads a fingerprint from 64 hexadecimal digits, with or without colons between them; nil for anything else.
    public init?(_ text: String) {
        let digits = text.filter { $0 != ":" }
        guard digits.utf8.count == 64, digits.allSatisfy(\.isHexDigit) else { return nil }
        bytes = stride(from: 0, to: 64, by: 2).compactMap { start in
            let first = digits.index(digits.startIndex, offsetBy: start)
            return UInt8(digits[first...].prefix(2), radix: 16)
        }
        guard bytes.count == 32 else { return nil }
    }

    /// Hexadecimal digits, with a colon between two bytes: "A1:B2:…".
    public var description: String {
        let digits = Array("0123456789ABCDEF")
        return bytes.map { "\(digits[Int($0 >> 4)])\(digits[Int($0 & 15)])" }.joined(separator: ":")
    }
}
