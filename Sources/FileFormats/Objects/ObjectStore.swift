// Object stores: what tables and files need of a store that has keys in place of directories and no rename.

import Diagnostics

/// Objects found under a prefix, in the order of their keys.
package struct ObjectListing: Sendable {
    package var objects: [FileIdentity] = []
    /// With a listing that does not descend: beginnings of longer keys, up to the slash.
    package var directories: [ObjectPath] = []
    package init() {}
}

/// How a conditional write ended.
package enum PutOutcome: Hashable, Sendable {
    case stored
    /// There was an object, which stays.
    case exists
}

/// A store of objects. Calls wait; an object appears whole or not at all, and listings show it as soon as it is there.
///
/// Errors are final: what may pass was tried again. After `connectionFailure`, `ioError` and `insufficientResources` of a write
/// it is not known whether it happened.
package protocol ObjectStore: FileStore {
    /// Objects whose keys begin with the prefix's; `limit` of them at most.
    func list(_ prefix: ObjectPath, isDeep: Bool, limit: Int?) throws -> ObjectListing
    /// `nil` if there is no such object.
    func head(_ path: ObjectPath) throws -> FileIdentity?
    /// A small object as a whole; `nil` if there is none.
    func get(_ path: ObjectPath) throws -> [UInt8]?
    /// `ifAbsent`: only if there is no object. Which of several such writes wins is the server's decision, made once.
    func put(_ path: ObjectPath, _ bytes: [UInt8], ifAbsent: Bool) throws -> PutOutcome
    /// The version of an identity as manifests keep it: the same by whichever address the store is reached.
    func storedVersion(_ version: String) -> String
    /// The version that an identity of this store has for one that a manifest keeps.
    func version(stored: String) -> String
    /// Objects that are not there are passed over.
    func delete(_ paths: [ObjectPath]) throws
}

extension ObjectStore {
    package var isRemote: Bool { true }

    package func identity(path: String) throws -> FileIdentity {
        guard let object = ObjectPath(path) else { throw ObjectStoreErrors.notAPath(path) }
        guard let found = try head(object) else {
            throw QueryError(
                .undefinedFile, "could not open \"\(path)\": there is no such object", object: path)
        }
        return found
    }
}

extension Interruption {
    /// Runs a step that must not be left in its middle: a request to stop is heard after it.
    package static func shielded<Value>(_ body: () throws -> Value) rethrows -> Value {
        let outer = current
        let shield = Interruption { wait in $current.withValue(outer) { whileBlocked(wait) } }
        return try $current.withValue(shield) { try body() }
    }
}

package enum ObjectStoreErrors {
    package static func notAPath(_ text: String) -> QueryError {
        QueryError(
            .invalidParameterValue, "\"\(text)\" is not the path of an object", hint: "Paths are s3://BUCKET/KEY.",
            object: text)
    }
}
