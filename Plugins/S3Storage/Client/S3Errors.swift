// Errors of a store as SQL sees them. Credentials and signatures never get into a message.

import Diagnostics
import FileFormats

enum S3Errors {
    /// - Parameter action: "read", "write", "list", …
    static func error(_ response: Response, _ action: String, _ path: ObjectPath) -> QueryError {
        let document = ErrorDocument(response.body)
        let code = document?.code ?? ""
        let text = "could not \(action) \"\(path)\""
        let said = document.map { "The server says \($0.code)\($0.message.isEmpty ? "" : ": " + $0.message)" }
        func made(_ state: SQLState, _ what: String, hint: String? = nil) -> QueryError {
            QueryError(
                state, "\(text): \(what)", detail: said ?? "The server answered with status \(response.status).",
                hint: hint,
                object: path.description)
        }
        switch code {
        case "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "TokenRefreshRequired",
            "InvalidSecurity", "NotSignedUp":
            return QueryError(
                .invalidAuthorization, "\(text): the credentials are not accepted", detail: "The server says \(code).",
                hint: "Look at access-key, secret-key and session-token of the catalog, or where they come from.",
                object: path.description)
        case "RequestTimeTooSkewed":
            return made(.invalidAuthorization, "the clocks of this machine and the server differ too much")
        case "NoSuchBucket": return made(.undefinedFile, "there is no bucket \"\(path.bucket)\"")
        case "NoSuchKey": return made(.undefinedFile, "there is no such object")
        case "AccessDenied", "AllAccessDisabled", "AccountProblem":
            return made(.insufficientPrivilege, "permission denied")
        case "AuthorizationHeaderMalformed", "PermanentRedirect", "IllegalLocationConstraintException":
            let region = document?.region ?? response.bucketRegion
            return made(
                .configurationFileError, "the bucket is in another region",
                hint: region.map { "Set the key region to \($0)." } ?? "Set the key region.")
        case "EntityTooLarge", "EntityTooSmall": return made(.programLimitExceeded, "the server refuses its size")
        case "QuotaExceeded", "StorageFull", "XMinioStorageFull": return made(.diskFull, "the store is full")
        case "NotImplemented": return made(.featureNotSupported, "the server does not have the operation")
        default: break
        }
        switch response.status {
        case 401: return made(.invalidAuthorization, "the credentials are not accepted")
        case 403: return made(.insufficientPrivilege, "permission denied")
        case 404: return made(.undefinedFile, "there is no such object")
        case 301, 307, 308:
            return made(
                .configurationFileError, "the bucket is in another region or at another endpoint",
                hint: response.bucketRegion.map { "Set the key region to \($0)." })
        case 412: return changed(path)
        case 429, 503:
            return made(
                .insufficientResources, "the server is too busy, after \(response.attemptCount) attempts",
                hint: "Run the query again later, or with fewer connections.")
        default: return made(.ioError, "the request failed")
        }
    }

    static func error(_ failure: TransferFailure, _ action: String, _ path: ObjectPath, endpoint: Endpoint)
        -> QueryError
    {
        let text = "could not \(action) \"\(path)\""
        switch failure {
        case .connection(let reason):
            return QueryError(
                .connectionFailure, "\(text): the connection to \(endpoint.text) failed", detail: "\(reason).",
                object: path.description)
        case .trust(let reason):
            return QueryError(
                .connectionException, "\(text): \(endpoint.text) is not trusted", detail: "\(reason).",
                hint: "The key certificate-file names certificates of your own.", object: path.description)
        case .cancelled: return QueryError(.queryCanceled, "\(text): the request was ended", object: path.description)
        }
    }

    static func changed(_ path: ObjectPath) -> QueryError {
        QueryError(
            .ioError, "file \"\(path)\" changed while the query ran", hint: "Run the query again.",
            object: path.description)
    }

    static func malformed(_ action: String, _ path: ObjectPath, _ what: String) -> QueryError {
        QueryError(
            .protocolViolation, "could not \(action) \"\(path)\": the server's answer is not understood", detail: what,
            object: path.description)
    }

    /// The end of a write is not known: it may have happened.
    static func unknown(_ path: ObjectPath, _ reason: String) -> QueryError {
        QueryError(
            SQLState("08007"), "it is not known whether \"\(path)\" was written", detail: reason,
            hint: "Look whether it is there before the statement is run again.", object: path.description)
    }
}
