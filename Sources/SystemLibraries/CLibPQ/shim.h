// Imports the system library libpq, PostgreSQL's client library. Fields of errors are macros of characters, which Swift
// does not see.
#include <libpq-fe.h>

static const int martlet_diagnostic_state = PG_DIAG_SQLSTATE;
static const int martlet_diagnostic_message = PG_DIAG_MESSAGE_PRIMARY;
static const int martlet_diagnostic_detail = PG_DIAG_MESSAGE_DETAIL;
static const int martlet_diagnostic_hint = PG_DIAG_MESSAGE_HINT;
static const int martlet_diagnostic_column = PG_DIAG_COLUMN_NAME;
static const int martlet_diagnostic_constraint = PG_DIAG_CONSTRAINT_NAME;

static void martlet_ignore_notice(void *context, const PGresult *result) {
    (void)context;
    (void)result;
}

/// Notices of the server would go to standard error.
static inline void martlet_ignore_notices(PGconn *connection) {
    PQsetNoticeReceiver(connection, martlet_ignore_notice, 0);
}
