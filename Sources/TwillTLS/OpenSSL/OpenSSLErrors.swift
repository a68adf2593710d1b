import COpenSSL

/// OpenSSL's errors in our words.
enum OpenSSLErrors {
    /// What an error of the queue means.
    static func error(_ code: UInt, isSecure: Bool) -> TLSError {
        let reason = twill_error_reason(code)
        guard twill_error_library(code) == twill_library_tls else {
            return TLSError(isSecure ? .badRecord : .failed, "TLS failed: \(text(code))")
        }
        if reason >= twill_reason_alerts { return TLSError(.alert, "the peer refused this side: \(alert(reason - twill_reason_alerts))") }
        switch reason {
        case SSL_R_HTTP_REQUEST, SSL_R_HTTPS_PROXY_REQUEST:
            return TLSError(.notTLS, "the peer spoke plain HTTP where TLS is spoken")
        case SSL_R_WRONG_VERSION_NUMBER where !isSecure:
            return TLSError(.notTLS, "what the peer sent is no TLS")
        case SSL_R_UNSUPPORTED_PROTOCOL, SSL_R_VERSION_TOO_LOW, SSL_R_NO_PROTOCOLS_AVAILABLE:
            return TLSError(.version, "the two sides have no version of TLS in common")
        case SSL_R_NO_SHARED_CIPHER, SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, SSL_R_NO_SUITABLE_KEY_SHARE, SSL_R_NO_SUITABLE_GROUPS:
            return TLSError(.noSharedCipher, "the two sides have no cipher in common that fits the certificate")
        case SSL_R_NO_APPLICATION_PROTOCOL:
            return TLSError(.noApplicationProtocol, "the two sides have no application protocol in common")
        case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
            return TLSError(.noCertificate, "the client has shown no certificate")
        case SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC:
            return TLSError(.badRecord, "a record could not be decrypted")
        case SSL_R_CERTIFICATE_VERIFY_FAILED:
            return TLSError(.certificateRefused, "the peer's certificate was refused")
        default:
            return TLSError(isSecure ? .badRecord : .failed, "TLS failed: \(text(code))")
        }
    }

    /// OpenSSL's own words for an error.
    static func text(_ code: UInt) -> String {
        guard code != 0, let reason = unsafe ERR_reason_error_string(code) else { return "OpenSSL does not say why" }
        // A text that is part of OpenSSL.
        return unsafe String(cString: reason)
    }

    /// The last error's words, and an empty queue.
    static func takeLast() -> String {
        defer { ERR_clear_error() }
        return text(twill_last_error())
    }

    /// What an alert of the peer's says.
    private static func alert(_ number: CInt) -> String {
        switch number {
        case SSL_AD_UNEXPECTED_MESSAGE: "unexpected message"
        case SSL_AD_BAD_RECORD_MAC: "it could not decrypt a record"
        case SSL_AD_HANDSHAKE_FAILURE: "the two sides have no way of TLS in common, or a certificate is missing"
        case SSL_AD_BAD_CERTIFICATE: "the certificate is a bad one"
        case SSL_AD_UNSUPPORTED_CERTIFICATE: "the certificate is of a kind that it does not know"
        case SSL_AD_CERTIFICATE_REVOKED: "the certificate was revoked"
        case SSL_AD_CERTIFICATE_EXPIRED: "the certificate has expired"
        case SSL_AD_CERTIFICATE_UNKNOWN: "it does not take the certificate"
        case SSL_AD_UNKNOWN_CA: "it does not know who issued the certificate"
        case SSL_AD_ACCESS_DENIED: "access denied"
        case SSL_AD_PROTOCOL_VERSION: "the two sides have no version of TLS in common"
        case SSL_AD_INSUFFICIENT_SECURITY: "what this side can is not secure enough"
        case SSL_AD_NO_RENEGOTIATION: "it does not renegotiate"
        case SSL_AD_MISSING_EXTENSION: "an extension is missing"
        case SSL_AD_UNRECOGNIZED_NAME: "it does not have the host that was asked for"
        case SSL_AD_CERTIFICATE_REQUIRED: "it wants a certificate"
        case SSL_AD_NO_APPLICATION_PROTOCOL: "the two sides have no application protocol in common"
        default: "alert number \(number)"
        }
    }

    /// What a refusal of a certificate means.
    ///
    /// - Parameters:
    ///   - certificate: the one that was refused, which may be one that vouches for the peer's.
    ///   - server: whom a client expected.
    static func refusal(_ code: CInt, _ certificate: TLSCertificate?) -> TLSError {
        let name = certificate.map { "the certificate of \"\($0.subject)\"" } ?? "the peer's certificate"
        let issuer = certificate.map { "\"\($0.issuer)\"" } ?? "its issuer"
        switch code {
        case X509_V_ERR_CERT_HAS_EXPIRED:
            return TLSError(
                .certificateExpired, "\(name) has expired\(certificate.map { ": it was valid until \($0.validUntil.text)" } ?? "")")
        case X509_V_ERR_CERT_NOT_YET_VALID:
            return TLSError(
                .certificateNotYetValid, "\(name) is not valid yet\(certificate.map { ": it begins on \($0.validFrom.text)" } ?? "")")
        case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH:
            let names = (certificate.map { $0.hostNames + $0.addresses } ?? []).prefix(10).joined(separator: ", ")
            if names.isEmpty {
                return TLSError(.wrongHost, "\(name) names no host: it has no subjectAltName, and its common name does not count")
            }
            return TLSError(.wrongHost, "\(name) is for another host: it names \(names)")
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
            return TLSError(.selfSigned, "\(name) is signed by itself, and is none of the trusted ones")
        case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
            return TLSError(.unknownAuthority, "the peer's certificate goes back to \(issuer), which is none of the trusted authorities")
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
            X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
            return TLSError(
                .unknownAuthority, "\(name) was issued by \(issuer), which is none of the trusted authorities and was not sent along")
        case X509_V_ERR_CERT_REVOKED:
            return TLSError(.certificateRevoked, "\(name) was revoked")
        case X509_V_ERR_EE_KEY_TOO_SMALL, X509_V_ERR_CA_KEY_TOO_SMALL:
            return TLSError(.weakCertificate, "the key of \(name) is too short")
        case X509_V_ERR_CA_MD_TOO_WEAK:
            return TLSError(.weakCertificate, "the signature of \(name) is too weak")
        default:
            guard let text = unsafe X509_verify_cert_error_string(Int(code)) else {
                return TLSError(.certificateRefused, "\(name) was refused")
            }
            // A text that is part of OpenSSL.
            return TLSError(.certificateRefused, "\(name) was refused: \(unsafe String(cString: text))")
        }
    }
}
