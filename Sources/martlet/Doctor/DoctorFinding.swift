// What the doctor finds.

struct DoctorFinding: Sendable {
    enum Status: String, Sendable { case ok, warning, error }

    /// What was looked at: a key of the configuration, or a name.
    var subject: String
    var status: Status
    var message: String
    /// What to do.
    var hint: String?

    init(_ subject: String, _ status: Status, _ message: String, hint: String? = nil) {
        self.subject = subject
        self.status = status
        self.message = message
        self.hint = hint
    }
}
