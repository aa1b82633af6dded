// libedit's line editor. Its global variables are set by functions: Swift takes no mutable globals from C.
#ifndef MARTLET_CEDIT_H
#define MARTLET_CEDIT_H

#include <stdio.h>
#include <stdlib.h>
#include <editline/readline.h>

/// Starts the editor. `generator` gives the completions of a word one after the other, each allocated by malloc.
static inline void edit_start(char *(*generator)(const char *, int), int history_limit) {
    rl_readline_name = "martlet";
    rl_initialize();
    using_history();
    stifle_history(history_limit);
    rl_completion_entry_function = generator;
}

#endif
