// Notes of crashes. The handler only makes system calls: nothing else is safe in a process that has just failed.
#define _GNU_SOURCE
#include "ck_crash.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TEXT_MAX = 1024, STACK_BYTES = 64 << 10 };

static char notePath[TEXT_MAX];
static char noteHead[TEXT_MAX];
// A trap of the program, memory that is not there, arithmetic, abort().
static const int fatal[] = {SIGILL, SIGTRAP, SIGSEGV, SIGBUS, SIGFPE, SIGABRT};
enum { FATAL_COUNT = sizeof(fatal) / sizeof(fatal[0]) };
static struct sigaction former[FATAL_COUNT];

static __thread const char *volatile subject;
static __thread void *signalStack;

static void put(int file, const char *text) {
    size_t length = strlen(text);
    while (length > 0) {
        ssize_t written = write(file, text, length);
        if (written < 0 && errno == EINTR) { continue; }
        if (written <= 0) { return; }
        text += written;
        length -= (size_t)written;
    }
}

static void handle(int number, siginfo_t *information, void *context) {
    (void)information;
    (void)context;
    int saved = errno;
    const char *own = subject;
    if (own) {
        subject = NULL;
        int file = open(notePath, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (file >= 0) {
            put(file, noteHead);
            put(file, own);
            put(file, "\n");
            close(file);
        }
    }
    // What was there before acts now: a signal of the processor comes again, others are raised anew.
    for (int i = 0; i < FATAL_COUNT; i++) {
        if (fatal[i] == number) { sigaction(number, &former[i], NULL); }
    }
    if (!information || information->si_code <= 0 || number == SIGABRT) { raise(number); }
    errno = saved;
}

void ck_crash_note_install(const char *path, const char *head) {
    if (strlen(path) >= TEXT_MAX || strlen(head) >= TEXT_MAX || notePath[0]) { return; }
    strcpy(notePath, path);
    strcpy(noteHead, head);
    struct sigaction action;
    memset(&action, 0, sizeof(action));
    action.sa_sigaction = handle;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigemptyset(&action.sa_mask);
    for (int i = 0; i < FATAL_COUNT; i++) { sigaction(fatal[i], &action, &former[i]); }
}

void ck_crash_note_subject(const char *text) { subject = text; }

void ck_crash_note_enter_thread(void) {
    if (!notePath[0] || signalStack) { return; }
    void *memory = malloc(STACK_BYTES);
    if (!memory) { return; }
    stack_t stack;
    memset(&stack, 0, sizeof(stack));
    stack.ss_sp = memory;
    stack.ss_size = STACK_BYTES;
    if (sigaltstack(&stack, NULL) != 0) {
        free(memory);
        return;
    }
    signalStack = memory;
}

void ck_crash_note_leave_thread(void) {
    if (!signalStack) { return; }
    stack_t stack;
    memset(&stack, 0, sizeof(stack));
    stack.ss_flags = SS_DISABLE;
    sigaltstack(&stack, NULL);
    free(signalStack);
    signalStack = NULL;
}
