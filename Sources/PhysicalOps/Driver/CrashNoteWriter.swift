// Notes that a crashing process leaves of the query that its failing thread was running.

import CKernels

/// Turns on the writing of notes for this process. Threads of driver pools that start later have a stack for it.
package enum CrashNoteWriter {
    /// A crash of a thread that runs a driver writes `head`, what the driver's group works for, and an end of line to `path`.
    package static func install(path: String, head: String) { ck_crash_note_install(path, head) }
}
