import COpenSSL
import Twill

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Certificates and keys as files and bytes have them, read by OpenSSL.
enum PEM {
    /// A file of this size is none with certificates.
    private static let fileBytesMax = 16 << 20

    /// The bytes of a file.
    static func file(_ path: String) throws(TLSConfigurationError) -> [UInt8] {
        guard let file = unsafe fopen(path, "rbe") else { throw unreadable(path, errno) }
        defer { unsafe fclose(file) }
        var bytes: [UInt8] = []
        while bytes.count <= fileBytesMax {
            let piece = unsafe [UInt8](unsafeUninitializedCapacity: 64 << 10) { buffer, count in
                count = unsafe fread(buffer.baseAddress, 1, buffer.count, file)
            }
            if piece.isEmpty { break }
            bytes += piece
        }
        guard unsafe ferror(file) == 0 else { throw unreadable(path, errno) }
        return bytes
    }

    private static func unreadable(_ path: String, _ number: CInt) -> TLSConfigurationError {
        // The text is the system's, and copied at once.
        let words = unsafe strerror(number).map { unsafe String(cString: $0) } ?? "errno \(number)"
        return TLSConfigurationError(
            "\(path) can't be read: \(words.prefix(1).lowercased() + words.dropFirst()); check the path and who may read it")
    }

    /// Lends every certificate of a text, in order; whoever wants to keep one counts it. Returns how many there were; 0 where one of them is
    /// broken.
    static func forEachCertificate(_ bytes: [UInt8], _ body: (OpaquePointer) -> Void) -> Int {
        unsafe withMemory(bytes) { memory in
            var count = 0
            while let certificate = unsafe twill_read_certificate(memory) {
                unsafe body(certificate)
                unsafe X509_free(certificate)
                count += 1
            }
            return twill_is_end_of_text() == 1 ? count : 0
        } ?? 0
    }

    /// Lends every list of revoked certificates of a text. Returns how many there were; 0 where one of them is broken.
    static func forEachRevocationList(_ bytes: [UInt8], _ body: (OpaquePointer) -> Void) -> Int {
        unsafe withMemory(bytes) { memory in
            var count = 0
            while let list = unsafe twill_read_revocations(memory) {
                unsafe body(list)
                unsafe X509_CRL_free(list)
                count += 1
            }
            return twill_is_end_of_text() == 1 ? count : 0
        } ?? 0
    }

    /// Lends the first private key of a text; nil where there is none.
    static func withKey<Result>(_ bytes: [UInt8], password: String?, _ body: (OpaquePointer) -> Result) -> Result? {
        unsafe withMemory(bytes) { memory in
            guard let key = unsafe password.map({ unsafe twill_read_key(memory, $0) }) ?? twill_read_key(memory, nil) else { return nil }
            defer { unsafe EVP_PKEY_free(key) }
            return unsafe body(key)
        } ?? nil
    }

    private static func withMemory<Result>(_ bytes: [UInt8], _ body: (OpaquePointer) -> Result) -> Result? {
        // What the end of the text leaves behind is no error, and what was there before would hide it.
        ERR_clear_error()
        defer { ERR_clear_error() }
        // The BIO reads the bytes where they are, and is gone before they are.
        return unsafe bytes.withUnsafeBytes { buffer in
            guard let memory = unsafe twill_memory(buffer.baseAddress, buffer.count) else { return nil }
            defer { unsafe BIO_free(memory) }
            return unsafe body(memory)
        }
    }
}
