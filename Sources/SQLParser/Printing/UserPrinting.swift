// Printing CREATE, ALTER and DROP of users. Passwords are printed as stars.

extension SyntaxPrinter {
    mutating func print(_ statement: UserStatement) {
        let names =
            statement.names.isEmpty
            ? "CURRENT_USER" : statement.names.map { Self.identifier($0.text) }.joined(separator: ", ")
        switch statement.action {
        case .create(let options): text += "CREATE USER \(names)" + Self.text(options)
        case .alter(let options): text += "ALTER USER \(names)" + Self.text(options)
        case .rename(let new): text += "ALTER USER \(names) RENAME TO \(Self.identifier(new.text))"
        case .drop(let ifExists): text += "DROP USER " + (ifExists ? "IF EXISTS " : "") + names
        }
    }

    private static func text(_ options: UserOptions) -> String {
        var text = ""
        if let isAdministrator = options.isAdministrator { text += isAdministrator ? " SUPERUSER" : " NOSUPERUSER" }
        switch options.password {
        case .none?: text += " PASSWORD NULL"
        case .text(let secret)?: text += " PASSWORD " + stringLiteral(secret.description)
        case nil: break
        }
        return text
    }
}
