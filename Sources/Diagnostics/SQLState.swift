// SQLSTATE codes: the five characters that every error of the engine carries to its client, with the names and
// meanings of PostgreSQL 15 (appendix A of its manual).

/// A five-character SQLSTATE. Compare errors by this value, never by message.
package struct SQLState: Hashable, Sendable, CustomStringConvertible {
    package let code: String

    package init(_ code: String) { self.code = code }

    package var description: String { code }

    /// The first two characters: the class of the condition.
    package var conditionClass: Substring { code.prefix(2) }
}

extension SQLState {
    // Class 00, 01, 02
    package static let successfulCompletion = SQLState("00000")
    package static let warning = SQLState("01000")
    package static let noData = SQLState("02000")
    // Class 08: connection
    package static let connectionException = SQLState("08000")
    package static let connectionDoesNotExist = SQLState("08003")
    package static let connectionFailure = SQLState("08006")
    package static let protocolViolation = SQLState("08P01")
    // Class 0A
    package static let featureNotSupported = SQLState("0A000")
    // Class 21: cardinality
    package static let cardinalityViolation = SQLState("21000")
    // Class 22: data
    package static let dataException = SQLState("22000")
    package static let stringDataRightTruncation = SQLState("22001")
    package static let numericValueOutOfRange = SQLState("22003")
    package static let nullValueNotAllowed = SQLState("22004")
    package static let invalidDatetimeFormat = SQLState("22007")
    package static let datetimeFieldOverflow = SQLState("22008")
    package static let invalidTimeZoneDisplacement = SQLState("22009")
    package static let substringError = SQLState("22011")
    package static let divisionByZero = SQLState("22012")
    package static let invalidPrecedingOrFollowingSize = SQLState("22013")
    package static let invalidArgumentForNTile = SQLState("22014")
    package static let intervalFieldOverflow = SQLState("22015")
    package static let invalidArgumentForNthValue = SQLState("22016")
    package static let characterNotInRepertoire = SQLState("22021")
    package static let invalidEscapeSequence = SQLState("22025")
    package static let invalidParameterValue = SQLState("22023")
    package static let invalidRegularExpression = SQLState("2201B")
    package static let invalidArgumentForLogarithm = SQLState("2201E")
    package static let invalidArgumentForPowerFunction = SQLState("2201F")
    package static let invalidRowCountInLimitClause = SQLState("2201W")
    package static let invalidRowCountInResultOffsetClause = SQLState("2201X")
    package static let arraySubscriptError = SQLState("2202E")
    package static let invalidTextRepresentation = SQLState("22P02")
    package static let invalidBinaryRepresentation = SQLState("22P03")
    package static let badCopyFileFormat = SQLState("22P04")
    package static let untranslatableCharacter = SQLState("22P05")
    // Class 23: integrity
    package static let notNullViolation = SQLState("23502")
    package static let uniqueViolation = SQLState("23505")
    package static let checkViolation = SQLState("23514")
    package static let foreignKeyViolation = SQLState("23503")
    package static let dependentObjectsStillExist = SQLState("2BP01")
    // Class 25: transaction state
    package static let activeSQLTransaction = SQLState("25001")
    package static let readOnlySQLTransaction = SQLState("25006")
    package static let noActiveSQLTransaction = SQLState("25P01")
    package static let inFailedSQLTransaction = SQLState("25P02")
    // Class 26, 28, 34, 3D, 3F
    package static let invalidSQLStatementName = SQLState("26000")
    package static let invalidPassword = SQLState("28P01")
    package static let invalidAuthorization = SQLState("28000")
    package static let invalidCursorName = SQLState("34000")
    package static let invalidCatalogName = SQLState("3D000")
    package static let invalidSchemaName = SQLState("3F000")
    // Class 40
    package static let serializationFailure = SQLState("40001")
    // Class 42: syntax and access
    package static let syntaxError = SQLState("42601")
    package static let insufficientPrivilege = SQLState("42501")
    package static let cannotCoerce = SQLState("42846")
    package static let groupingError = SQLState("42803")
    package static let windowingError = SQLState("42P20")
    package static let invalidRecursion = SQLState("42P19")
    package static let datatypeMismatch = SQLState("42804")
    package static let indeterminateDatatype = SQLState("42P18")
    package static let wrongObjectType = SQLState("42809")
    package static let undefinedColumn = SQLState("42703")
    package static let undefinedFunction = SQLState("42883")
    package static let undefinedTable = SQLState("42P01")
    package static let undefinedParameter = SQLState("42P02")
    package static let undefinedObject = SQLState("42704")
    package static let duplicateColumn = SQLState("42701")
    package static let duplicateTable = SQLState("42P07")
    package static let duplicateSchema = SQLState("42P06")
    package static let duplicateAlias = SQLState("42712")
    package static let duplicateObject = SQLState("42710")
    package static let duplicatePreparedStatement = SQLState("42P05")
    package static let ambiguousColumn = SQLState("42702")
    package static let ambiguousFunction = SQLState("42725")
    package static let invalidColumnReference = SQLState("42P10")
    package static let invalidTableDefinition = SQLState("42P16")
    package static let nameTooLong = SQLState("42622")
    // Class 53, 54, 55, 57, 58
    package static let insufficientResources = SQLState("53000")
    package static let diskFull = SQLState("53100")
    package static let outOfMemory = SQLState("53200")
    package static let tooManyConnections = SQLState("53300")
    package static let configurationLimitExceeded = SQLState("53400")
    package static let programLimitExceeded = SQLState("54000")
    package static let statementTooComplex = SQLState("54001")
    package static let tooManyColumns = SQLState("54011")
    package static let objectNotInPrerequisiteState = SQLState("55000")
    package static let queryCanceled = SQLState("57014")
    package static let adminShutdown = SQLState("57P01")
    package static let crashShutdown = SQLState("57P02")
    package static let cannotConnectNow = SQLState("57P03")
    package static let ioError = SQLState("58030")
    package static let undefinedFile = SQLState("58P01")
    package static let duplicateFile = SQLState("58P02")
    // Class F0, XX
    package static let configurationFileError = SQLState("F0000")
    package static let internalError = SQLState("XX000")
    package static let dataCorrupted = SQLState("XX001")
    // Own codes, class ME: conditions that only a distributed engine has.
    /// A worker was lost while it held part of the query.
    package static let workerLost = SQLState("ME001")
    /// No worker is available to run the query.
    package static let noWorkers = SQLState("ME002")
    /// Data could not be fetched from another worker.
    package static let exchangeFailed = SQLState("ME003")
    /// The peer speaks a version of the plan or wire format that this node does not.
    package static let versionMismatch = SQLState("ME004")
    /// The query has brought down several workers and is not tried again.
    package static let poisonQuery = SQLState("ME005")
}
