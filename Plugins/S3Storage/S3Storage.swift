// S3Storage: tables and files in object stores that speak the protocol of Amazon S3.
//
//   S3StoragePlugin   what configuration selects as "s3", and its keys: S3Options
//   Signing/          credentials, Signature Version 4
//   Client/           requests: RetryInstance says when one is tried again, TransferLoop moves them with libcurl, S3Store
//                     knows the operations, S3File reads ranges, S3Upload writes in parts
//   Catalog/          S3Backend: tables below a prefix, and objects by their paths
//
// How tables change on a store without rename: FileFormats/Objects.

import Diagnostics
import EngineConfiguration
import FileFormats
import PluginHost
import Storage
import Synchronization

/// The plug-in "s3".
package struct S3StoragePlugin: EnginePlugin {
    package let name = "s3"
    package init() {}

    package var storageKeys: [ConfigurationKey] { S3Options.keys }

    package func makeStorageBackend(_ section: ConfigurationSection) throws -> (any StorageBackend)? {
        _ = try section.values(of: S3Options.keys)
        let backend = S3Backend(section)
        // What a person has written is checked at once; the catalogue that is always there only when it is used, so that
        // an environment without use for it stops nothing.
        if section.values.keys.contains(where: { $0 != "roots" && $0 != "writable" }) { _ = try backend.opened() }
        return backend
    }
}
