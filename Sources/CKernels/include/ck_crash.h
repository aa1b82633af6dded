// What a process that crashes leaves for its next life: a file that says for whom the crashing thread was working.
#pragma once

/// From now on a fatal signal on a thread that has a subject writes `head` and the subject into a new file at `path`, before
/// whatever would have happened happens. Both texts are copied; longer ones than a kilobyte are left out. Call it once.
void ck_crash_note_install(const char *_Nonnull path, const char *_Nonnull head);

/// For whom this thread works from now on; NULL: for nobody. The text must live until the next call.
void ck_crash_note_subject(const char *_Nullable subject);

/// Gives this thread a second stack for signals, so that a note is written when the first one has run over.
void ck_crash_note_enter_thread(void);

/// Takes it away again, before the thread ends.
void ck_crash_note_leave_thread(void);
