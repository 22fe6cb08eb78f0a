/* Makes the calls behind inf_os fail: the Nth one, once, or that one and all that follow. Installed over the real table
 * before the library is used; several threads may then count, one arms. Knows nothing of what is being tested. */
#ifndef FAULT_FAULTS_H
#define FAULT_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

enum fault_group {
    FAULT_MEMORY,  /* malloc, calloc, realloc */
    FAULT_FILES,   /* every file, directory, mapping and descriptor call that can fail */
    FAULT_NETWORK, /* socket, connect, send, recv and poll of this process, libcurl's included (network.c) */
};

enum fault_kind {
    FAULT_EIO,
    FAULT_ENOSPC,
    FAULT_EINTR,
    FAULT_EMFILE,
    FAULT_SHORT, /* reads and writes move one byte less than they could, or one; other calls: EIO */
};
#define FAULT_KINDS 5

/* Puts the counting table over inf_os. Once. */
void faults_install(void);

/* Counting starts again: call number `nth` (from 1) of the group fails; with `lasting` every one after it too. */
void faults_arm(enum fault_group group, enum fault_kind kind, uint64_t nth, bool lasting);

/* Nothing fails any more. How many calls of the group there were, and whether one failed. */
uint64_t faults_disarm(bool *fired);

/* For network.c: true, with errno set, when this call is to fail. *shorten: it is to move fewer bytes instead. */
bool faults_hit(enum fault_group group, bool *shorten);

const char *fault_kind_name(enum fault_kind kind);

#endif
