// Who a request comes from, by its Authorization header.

import Diagnostics
import Frontends
import NIOHTTP1

struct ClientIdentification: Sendable {
    let authenticator: any Authenticator

    /// Whether requests need credentials.
    var isRequired: Bool { authenticator.anonymousUser == nil }

    /// What anybody may ask: whether the process lives and serves.
    static let openPaths: Set<[String]> = [["healthz"], ["readyz"]]

    /// The user; `nil` if requests may say whom they come from. A request without the right credentials gets 401.
    func user(of request: HTTPRequest) async throws -> String? {
        guard isRequired, !Self.openPaths.contains(request.path) else { return nil }
        return try await user(request.headers)
    }

    /// Who wants to view events, and what of them; `nil`: nobody is asked.
    func viewer(_ headers: HTTPHeaders) async throws -> (user: String, scope: EventScope)? {
        guard isRequired else { return nil }
        let user = try await user(headers)
        return (user, authenticator.isAdministrator(user) ? .everything : .user(user))
    }

    private func user(_ headers: HTTPHeaders) async throws -> String {
        do {
            // Of several nobody knows which one another server in between has looked at.
            guard headers[canonicalForm: "authorization"].count <= 1 else {
                throw QueryError(.invalidAuthorization, "the request has several Authorization headers")
            }
            guard let header = headers.first(name: "authorization") else {
                throw QueryError(
                    .invalidAuthorization, "no credentials were given",
                    hint: "Send a name and a password by the Basic scheme, or a token by the Bearer scheme.")
            }
            switch try HeaderCredentials(header: header) {
            case .basic(let user, let password):
                try await authenticator.authenticate(user: user, password: password)
                return user
            case .token(let token):
                guard let user = authenticator.user(token: token) else {
                    throw QueryError(.invalidAuthorization, "the token is not known")
                }
                return user
            }
        } catch {
            throw HTTPFailure(
                .unauthorized, QueryError.wrapping(error),
                headers: ["www-authenticate": "Basic realm=\"martlet\", charset=\"UTF-8\""])
        }
    }
}
